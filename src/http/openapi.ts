/**
 * The OpenAPI 3.1 document, made from the zod schemas and the tables of operations in `operations/`. `openapi.yaml` is
 * this document on disk; `schemas/openapi.d.ts` comes from it.
 */
import { z } from 'zod'
import { adapterOperations, adapterSchemas } from './operations/adapters.ts'
import { datasetOperations, datasetSchemas } from './operations/datasets.ts'
import { fileOperations, fileSchemas } from './operations/files.ts'
import { fineTuningOperations, fineTuningSchemas } from './operations/fine-tuning.ts'
import { generationOperations, generationSchemas } from './operations/generation.ts'
import { npcOperations, npcSchemas } from './operations/npcs.ts'
import { jobOperations, jobSchemas } from './operations/jobs.ts'
import { judgingOperations, judgingSchemas } from './operations/judging.ts'
import { keyOperations, keySchemas } from './operations/keys.ts'
import type { Operation } from './operations/operation.ts'
import { responseOperations, responseSchemas } from './operations/responses.ts'
import { registryOperations, registrySchemas } from './operations/registry.ts'

export const namedSchemas = {
  ...generationSchemas,
  ...responseSchemas,
  ...judgingSchemas,
  ...adapterSchemas,
  ...datasetSchemas,
  ...fileSchemas,
  ...jobSchemas,
  ...npcSchemas,
  ...fineTuningSchemas,
  ...registrySchemas,
  ...keySchemas,
} as const

type SchemaName = keyof typeof namedSchemas

export const operations: readonly Operation<SchemaName>[] = [
  ...generationOperations,
  ...responseOperations,
  ...judgingOperations,
  ...adapterOperations,
  ...npcOperations,
  ...datasetOperations,
  ...fileOperations,
  ...jobOperations,
  ...fineTuningOperations,
  ...registryOperations,
  ...keyOperations,
]

/** The whole document as plain JSON. */
export function buildOpenApi() {
  const paths: Record<string, Record<string, unknown>> = {}
  for (const operation of operations) {
    ;(paths[operation.path] ??= {})[operation.method] = describeOperation(operation)
  }
  return {
    openapi: '3.1.0',
    info: {
      title: 'steerlm',
      version: '0.1.0',
      description:
        'Text that a caller steers with attribute values. Generating endpoints follow the OpenAI API. ' +
        'The WebSocket `/v1/stream` takes `ClientMessage` and sends `ServerMessage` objects.',
    },
    paths,
    components: { schemas: jsonSchemas() },
  }
}

const reference = (name: SchemaName) => ({ $ref: `#/components/schemas/${name}` })

function describeOperation(operation: Operation<SchemaName>) {
  const { body, rawBody, response, events, parameters, errors = [], rawResponse = [] } = operation
  const content = {
    ...(response && { 'application/json': { schema: reference(response) } }),
    ...(events && { 'text/event-stream': { schema: reference(events) } }),
    ...Object.fromEntries(rawResponse.map((type) => [type, { schema: { type: 'string' } }])),
  }
  const hasContent = Object.keys(content).length > 0
  const success = String(operation.status ?? (hasContent ? 200 : 204))
  const isInference = operation.path.startsWith('/v2')
  const errorSchema = isInference ? 'InferenceError' : 'ErrorResponse'
  const error = (status: number) => [
    String(status),
    {
      description: 'An error',
      content: { 'application/json': { schema: reference(errorSchema) } },
    },
  ]
  return {
    operationId: `${operation.method}${operation.path.replace(/[/{}_]+(\w?)/g, (_, letter: string) => letter.toUpperCase())}`,
    summary: operation.summary,
    ...(parameters && {
      parameters: parameters.map((parameter) => ({
        ...parameter,
        required: parameter.in === 'path',
        schema: { type: 'string' },
      })),
    }),
    ...((body ?? rawBody) && {
      requestBody: {
        required: true,
        content: {
          ...(body && { 'application/json': { schema: reference(body) } }),
          ...Object.fromEntries(
            Object.entries(rawBody ?? {}).map(([type, description]) => [
              type,
              { schema: { type: 'string', format: 'binary', description } },
            ]),
          ),
        },
      },
    }),
    responses: {
      [success]: { description: operation.summary, ...(hasContent && { content }) },
      ...(operation.path === '/ready' && {
        '503': { description: 'A model is starting', content },
      }),
      ...(/^\/v[12]\//.test(operation.path) &&
        Object.fromEntries([400, ...errors, 500].sort((a, b) => a - b).map(error))),
    },
  }
}

function jsonSchemas(): Record<string, unknown> {
  const registry = z.registry<{ id: string }>()
  for (const [id, schema] of Object.entries(namedSchemas)) registry.add(schema, { id })
  const { schemas } = z.toJSONSchema(registry, {
    io: 'input',
    uri: (id) => `#/components/schemas/${id}`,
    override: ({ jsonSchema }) => {
      // zod states the range of safe integers on each of them.
      if (jsonSchema.minimum === Number.MIN_SAFE_INTEGER) delete jsonSchema.minimum
      if (jsonSchema.maximum === Number.MAX_SAFE_INTEGER) delete jsonSchema.maximum
    },
  })
  return Object.fromEntries(
    Object.entries(schemas).map(([id, { $schema: _schema, $id: _id, ...schema }]) => [id, schema]),
  )
}
