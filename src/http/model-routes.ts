/** GET /v1/models, /v1/models/:id, /v1/attributes; POST /v1/attributes/predict; /health, /ready. */
import type { FastifyInstance } from 'fastify'
import {
  AttributesQuery,
  PredictRequest,
  type AttributeList,
  type PredictResponse,
} from '../../schemas/attributes-api.ts'
import type { Health, Model, ModelList, Readiness } from '../../schemas/models.ts'
import { confidences } from '../labels/calibration.ts'
import type { Models } from '../services/models.ts'
import { presetsOf } from '../services/presets.ts'
import type { ModelRuntime } from '../services/runtime-types.ts'
import { disconnectSignal } from './event-stream.ts'
import { toMessages } from './generation-input.ts'
import { parseInput } from './parse-body.ts'

export const modelRoutes = (models: Models) => async (app: FastifyInstance) => {
  const measuredBy = (model: ModelRuntime): string | null =>
    model.info.kind === 'language-model' ? (models.predictorFor(model)?.info.id ?? null) : null

  const describe = (model: ModelRuntime): Model => ({
    id: model.info.id,
    object: 'model',
    created: model.info.created,
    owned_by: 'steerlm',
    kind: model.info.kind,
    context_length: model.info.contextLength,
    attributes: model.info.attributes,
    attribute_model: measuredBy(model),
    parent: model.info.parent ?? null,
    version: model.info.version ?? null,
    aliases: [...(model.info.aliases ?? [])],
  })

  app.get('/v1/models', async (): Promise<ModelList> => ({
    object: 'list',
    data: models.list().map(describe),
  }))

  app.get<{ Params: { id: string } }>('/v1/models/:id', async (request): Promise<Model> =>
    describe(models.get(request.params.id)),
  )

  app.get('/v1/attributes', async (request): Promise<AttributeList> => {
    const query = parseInput(AttributesQuery, request.query, 'the query')
    const model = query.model === undefined ? models.default() : models.get(query.model)
    return {
      object: 'list',
      model: model.info.id,
      data: model.info.attributes,
      attribute_model: measuredBy(model),
      presets: model.info.kind === 'language-model' ? [...presetsOf(model.info)] : [],
    }
  })

  app.post('/v1/attributes/predict', async (request, reply): Promise<PredictResponse> => {
    const body = parseInput(PredictRequest, request.body)
    const inputs = 'inputs' in body ? body.inputs : [body]
    const judge = models.getPredictive(body.model)
    const { attributes, calibration } = judge.info
    const raw = body.calibrated === false
    const values = await judge.predict(
      inputs.map((input) => toMessages(input.messages)),
      disconnectSignal(reply),
      { raw },
    )
    return {
      object: 'list',
      model: body.model,
      calibrated: !raw && calibration !== undefined,
      data: values.map((predicted) => ({
        attributes: predicted,
        confidence: confidences(attributes, predicted, raw ? undefined : calibration),
      })),
    }
  })

  app.get('/health', async (): Promise<Health> => ({ status: 'ok' }))

  app.get('/ready', async (_request, reply): Promise<Readiness> => {
    const states = models.list().map((model) => ({ id: model.info.id, ready: model.ready }))
    const isReady = states.every((state) => state.ready)
    void reply.code(isReady ? 200 : 503)
    return { status: isReady ? 'ready' : 'starting', models: states }
  })
}
