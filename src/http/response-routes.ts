/** POST /v1/responses, plain and streamed; GET and DELETE of stored ones. Parses, calls the services, serialises. */
import { randomUUID } from 'node:crypto'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import {
  InputItemsQuery,
  ResponseQuery,
  ResponseRequest,
  type ResponseDeleted,
  type ResponseItem,
  type ResponseItemList,
  type ResponseObject,
} from '../../schemas/responses.ts'
import { fail } from '../errors.ts'
import type { Generator } from '../services/generator.ts'
import type { Models } from '../services/models.ts'
import { conversationItems, getResponse } from '../services/responses/conversation-items.ts'
import type { ResponseStore } from '../services/responses/response-store.ts'
import { disconnectSignal, sendTypedStream, started } from './event-stream.ts'
import { parseInput } from './parse-body.ts'
import { responseGeneration } from './response-input.ts'
import {
  endedResponse,
  replayedEvents,
  startedResponse,
  toResponseEvents,
} from './response-serializer.ts'

export interface ResponseParts {
  models: Models
  generator: Generator
  store: ResponseStore
}

interface One {
  Params: { id: string }
}

export const responseRoutes =
  ({ models, generator, store }: ResponseParts) =>
  async (app: FastifyInstance) => {
    const find = ({ params, apiKey }: FastifyRequest<One>) =>
      getResponse(params.id, { store, keyId: apiKey?.id ?? null })

    app.post('/v1/responses', async (request, reply) => {
      const body = parseInput(ResponseRequest, request.body)
      const keyId = request.apiKey?.id ?? null
      const id = `resp_${randomUUID().replaceAll('-', '')}`
      const model = models.getGenerative(body.model)
      const items = await conversationItems(body, { store, keyId, id })
      const generation = {
        ...responseGeneration(body, items),
        caller: request.apiKey,
        address: request.ip,
      }
      const response = startedResponse(id, body, model.info.sampling)
      const keep = async (ended: ResponseObject): Promise<void> => {
        if (ended.store) await store.put({ response: ended, items, keyId })
      }
      const signal = disconnectSignal(reply)
      if (!body.stream) {
        const { choices, usage } = await generator.complete(generation, signal)
        const ended = endedResponse(response, { ...choices[0]!, usage })
        await keep(ended)
        return ended
      }
      const events = await started(generator.stream(generation, signal), model)
      const onError = (error: unknown): void => request.log.error(error)
      return sendTypedStream(reply, toResponseEvents(events, response, { onEnd: keep, onError }))
    })

    app.get<One>('/v1/responses/:id', async (request, reply) => {
      const query = parseInput(ResponseQuery, request.query, 'the query')
      const { response } = await find(request)
      if (!query.stream) return response
      const after = query.starting_after ?? -1
      const events = replayedEvents(response).filter((event) => event.sequence_number > after)
      return sendTypedStream(reply, events)
    })

    app.get<One>('/v1/responses/:id/input_items', async (request): Promise<ResponseItemList> => {
      const query = parseInput(InputItemsQuery, request.query, 'the query')
      return page((await find(request)).items, query)
    })

    app.delete<One>('/v1/responses/:id', async (request): Promise<ResponseDeleted> => {
      const { id } = (await find(request)).response
      await store.delete(id, request.apiKey?.id ?? null)
      return { id, object: 'response', deleted: true }
    })
  }

function page(
  items: readonly ResponseItem[],
  { limit, order, after }: InputItemsQuery,
): ResponseItemList {
  const ordered = order === 'asc' ? items : items.toReversed()
  const start = after === undefined ? 0 : ordered.findIndex(({ id }) => id === after) + 1
  if (after !== undefined && start === 0) {
    fail('NOT_FOUND', `no item "${after.slice(0, 80)}"`, { param: 'after' })
  }
  const data = ordered.slice(start, start + limit)
  return {
    object: 'list',
    data,
    first_id: data[0]?.id ?? null,
    last_id: data.at(-1)?.id ?? null,
    has_more: start + limit < ordered.length,
  }
}
