/** The generating and measuring API: what the first clients call. */
import { AttributeList, PredictRequest, PredictResponse } from '../../../schemas/attributes-api.ts'
import { AttributeSpec } from '../../../schemas/attributes.ts'
import {
  ChatCompletion,
  ChatCompletionChunk,
  ChatCompletionRequest,
  ChatLogprobs,
} from '../../../schemas/chat.ts'
import {
  ErrorResponse,
  InputMessage,
  SteeringOptions,
  SteeringReport,
  Usage,
} from '../../../schemas/common.ts'
import {
  Completion,
  CompletionChunk,
  CompletionLogprobs,
  CompletionRequest,
} from '../../../schemas/completions.ts'
import { Health, Model, ModelList, Readiness } from '../../../schemas/models.ts'
import { ClientMessage, ServerMessage } from '../../../schemas/stream.ts'

import type { Operation } from './operation.ts'

export const generationSchemas = {
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

const modelErrors = [404, 413, 415, 429, 503]

export const generationOperations: readonly Operation<keyof typeof generationSchemas>[] = [
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
