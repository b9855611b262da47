/** GET /v1/adapters, and vLLM's POST /v1/load_lora_adapter and /v1/unload_lora_adapter. */
import type { FastifyInstance } from 'fastify'
import {
  LoadAdapterRequest,
  UnloadAdapterRequest,
  type AdapterList,
  type AdapterObject,
} from '../../schemas/adapters.ts'
import type { AdapterService, AdapterStatus } from '../services/adapters.ts'
import { parseInput } from './parse-body.ts'

const toObject = ({ name, ...rest }: AdapterStatus): AdapterObject => ({
  object: 'adapter',
  id: name,
  ...rest,
})

export const adapterRoutes = (adapters: AdapterService) => async (app: FastifyInstance) => {
  app.get('/v1/adapters', async (): Promise<AdapterList> => ({
    object: 'list',
    data: (await adapters.list()).map(toObject),
  }))

  app.post('/v1/load_lora_adapter', async (request): Promise<AdapterObject> => {
    const body = parseInput(LoadAdapterRequest, request.body)
    const { lora_name: name, lora_path: path, base_model_name: base } = body
    return toObject(await adapters.load({ name, path, ...(base && { base }) }))
  })

  app.post('/v1/unload_lora_adapter', async (request, reply) => {
    await adapters.unload(parseInput(UnloadAdapterRequest, request.body).lora_name)
    return reply.code(204).send()
  })
}
