/**
 * KServe's Open Inference Protocol (v2) over attribute models: health, metadata, infer. Parses, calls the model,
 * serialises. https://github.com/kserve/open-inference-protocol
 */
import type { FastifyInstance } from 'fastify'
import {
  InferenceRequest,
  type InferenceHealth,
  type InferenceModel,
  type InferenceResponse,
  type InferenceServer,
} from '../../schemas/inference.ts'
import { fail } from '../errors.ts'
import { confidences } from '../labels/calibration.ts'
import type { Models } from '../services/models.ts'
import type { ModelInfo, ModelRuntime } from '../services/runtime-types.ts'
import { toErrorResponse } from './error-response.ts'
import { disconnectSignal } from './event-stream.ts'
import { inputNames, ratedInputs } from './inference-input.ts'
import { parseInput } from './parse-body.ts'

interface One {
  Params: { model: string }
}

export const inferenceRoutes = (models: Models) => async (app: FastifyInstance) => {
  // The protocol's clients expect a text.
  app.setErrorHandler((error, request, reply) => {
    const { status, body } = toErrorResponse(error)
    if (status >= 500) request.log.error(error)
    return reply.code(status).send({ error: body.error.message })
  })

  app.get('/v2', async (): Promise<InferenceServer> => ({
    name: 'steerlm',
    version: '0.1.0',
    extensions: [],
  }))

  app.get('/v2/health/live', async (): Promise<InferenceHealth> => ({ live: true }))

  app.get('/v2/health/ready', async (_request, reply): Promise<InferenceHealth> => {
    const ready = models.list().every((model) => model.ready)
    void reply.code(ready ? 200 : 503)
    return { ready }
  })

  app.get<One>('/v2/models/:model', async ({ params }): Promise<InferenceModel> =>
    describeModel(models.getPredictive(params.model).info),
  )

  app.get<One>('/v2/models/:model/ready', async ({ params }, reply): Promise<InferenceHealth> => {
    const { ready } = models.get(params.model)
    void reply.code(ready ? 200 : 503)
    return { ready }
  })

  app.post<One>('/v2/models/:model/infer', async (request, reply): Promise<InferenceResponse> => {
    const body = parseInput(InferenceRequest, request.body)
    const model = models.getPredictive(request.params.model)
    const wanted = wantedOutputs(body, model.info)
    const values = await model.predict(ratedInputs(body), disconnectSignal(reply))
    const all = toOutputs(model, values)
    return {
      model_name: request.params.model,
      ...(model.info.version !== undefined && { model_version: String(model.info.version) }),
      ...(body.id != null && { id: body.id }),
      outputs: wanted.map((name) => all.get(name)!),
    }
  })
}

const outputNames = ({ attributes }: ModelInfo): string[] => [
  'rewards',
  'confidence',
  ...attributes.map(({ name }) => name),
]

function wantedOutputs({ outputs }: InferenceRequest, info: ModelInfo): string[] {
  const known = outputNames(info)
  const wanted = outputs?.map(({ name }) => name) ?? known
  const unknown = wanted.find((name) => !known.includes(name))
  if (unknown === undefined) return wanted
  const detail = `outputs: "${unknown.slice(0, 80)}" is none of ${known.join(', ')}`
  return fail('BAD_REQUEST', detail, { param: 'outputs' })
}

/** `rewards` [n, A] as NeMo-Aligner's server names it, `confidence` [n, A], and each attribute [n]. */
function toOutputs(
  { info: { attributes, calibration } }: ModelRuntime,
  values: readonly Record<string, number>[],
): Map<string, InferenceResponse['outputs'][number]> {
  const n = values.length
  const matrix = (name: string, rows: readonly Record<string, number>[]) => ({
    name,
    datatype: 'FP32',
    shape: [n, attributes.length],
    data: rows.flatMap((row) => attributes.map((spec) => row[spec.name]!)),
  })
  const sure = values.map((row) => confidences(attributes, row, calibration))
  const columns = attributes.map(({ name }) => ({
    name,
    datatype: 'FP32',
    shape: [n],
    data: values.map((row) => row[name]!),
  }))
  const all = [matrix('rewards', values), matrix('confidence', sure), ...columns]
  return new Map(all.map((output) => [output.name, output]))
}

function describeModel(info: ModelInfo): InferenceModel {
  const { attributes } = info
  return {
    name: info.id,
    versions: info.version === undefined ? [] : [String(info.version)],
    platform: 'steerlm',
    inputs: inputNames.map((name) => ({ name, datatype: 'BYTES', shape: [-1] })),
    outputs: outputNames(info).map((name, i) => ({
      name,
      datatype: 'FP32',
      shape: i < 2 ? [-1, attributes.length] : [-1],
    })),
    attributes: attributes.map(({ name }) => name),
  }
}
