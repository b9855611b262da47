/**
 * The OpenAPI 3.1 document, made from the zod schemas and the table of operations below. `openapi.yaml` is this
 * document on disk; `schemas/openapi.d.ts` comes from it.
 */
import { z } from 'zod'
import { AttributeList, PredictRequest, PredictResponse } from '../../schemas/attributes-api.ts'
import { AttributeSpec } from '../../schemas/attributes.ts'
import {
  ChatCompletion,
  ChatCompletionChunk,
  ChatCompletionRequest,
  ChatLogprobs,
} from '../../schemas/chat.ts'
import {
  ErrorResponse,
  InputMessage,
  SteeringOptions,
  SteeringReport,
  Usage,
} from '../../schemas/common.ts'
import {
  Completion,
  CompletionChunk,
  CompletionLogprobs,
  CompletionRequest,
} from '../../schemas/completions.ts'
import { Health, Model, ModelList, Readiness } from '../../schemas/models.ts'
import { ClientMessage, ServerMessage } from '../../schemas/stream.ts'

export const namedSchemas = {
  AttributeList,
  AttributeSpec,
  ChatCompletion,
  ChatCompletionChunk,
  ChatCompletionRequest,
  ChatLogprobs,
  ClientMessage,
  Completion,
  CompletionChunk,
  CompletionLogprobs,
  CompletionRequest,
  ErrorResponse,
  Health,
  InputMessage,
  Model,
  ModelList,
  PredictRequest,
  PredictResponse,
  Readiness,
  ServerMessage,
  SteeringOptions,
  SteeringReport,
  Usage,
} as const

type SchemaName = keyof typeof namedSchemas

interface Operation {
  method: 'get' | 'post'
  path: string
  summary: string
  body?: SchemaName
  response: SchemaName
  /** The frames of the same answer as server-sent events. */
  events?: SchemaName
  parameters?: { name: string; in: 'path' | 'query'; description: string }[]
  /** Error statuses beside 400 and 500. */
  errors?: number[]
}

const modelErrors = [404, 413, 415, 429, 503]

export const operations: readonly Operation[] = [
  {
    method: 'post',
    path: '/v1/chat/completions',
    summary: 'Write the next reply of a conversation, steered by attribute values',
    body: 'ChatCompletionRequest',
    response: 'ChatCompletion',
    events: 'ChatCompletionChunk',
    errors: modelErrors,
  },
  {
    method: 'post',
    path: '/v1/completions',
    summary: 'Continue a text or token ids, or score them',
    body: 'CompletionRequest',
    response: 'Completion',
    events: 'CompletionChunk',
    errors: modelErrors,
  },
  { method: 'get', path: '/v1/models', summary: 'The served models', response: 'ModelList' },
  {
    method: 'get',
    path: '/v1/models/{id}',
    summary: 'One served model',
    response: 'Model',
    parameters: [{ name: 'id', in: 'path', description: 'The name of the model' }],
    errors: [404],
  },
  {
    method: 'get',
    path: '/v1/attributes',
    summary: 'The attributes of a model: names, descriptions, levels, defaults',
    response: 'AttributeList',
    parameters: [
      { name: 'model', in: 'query', description: 'The first language model unless given' },
    ],
    errors: [404],
  },
  {
    method: 'post',
    path: '/v1/attributes/predict',
    summary: 'Measure the attributes of replies with an attribute model',
    body: 'PredictRequest',
    response: 'PredictResponse',
    errors: modelErrors,
  },
  { method: 'get', path: '/health', summary: 'The server answers', response: 'Health' },
  { method: 'get', path: '/ready', summary: 'Every model can answer', response: 'Readiness' },
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

function describeOperation(operation: Operation) {
  const { body, response, events, parameters, errors = [] } = operation
  const content = {
    'application/json': { schema: reference(response) },
    ...(events && { 'text/event-stream': { schema: reference(events) } }),
  }
  const error = (status: number) => [
    String(status),
    {
      description: 'An error',
      content: { 'application/json': { schema: reference('ErrorResponse') } },
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
    ...(body && {
      requestBody: { required: true, content: { 'application/json': { schema: reference(body) } } },
    }),
    responses: {
      '200': { description: operation.summary, content },
      ...(operation.path === '/ready' && {
        '503': { description: 'A model is starting', content },
      }),
      ...(operation.path.startsWith('/v1') &&
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
