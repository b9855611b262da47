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
  ResponseFormat,
  SteeringOptions,
  SteeringReport,
  StructuredOutputs,
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
import {
  ApplyTemplateRequest,
  ApplyTemplateResponse,
  DetokenizeRequest,
  DetokenizeResponse,
  TokenizeRequest,
  TokenizeResponse,
} from '../../../schemas/tokenize.ts'

import type { Operation } from './operation.ts'

export const generationSchemas = {
  ApplyTemplateRequest,
  ApplyTemplateResponse,
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
  DetokenizeRequest,
  DetokenizeResponse,
  ErrorResponse,
  Health,
  InputMessage,
  Model,
  ModelList,
  PredictRequest,
  PredictResponse,
  Readiness,
  ResponseFormat,
  ServerMessage,
  SteeringOptions,
  SteeringReport,
  StructuredOutputs,
  TokenizeRequest,
  TokenizeResponse,
  Usage,
} as const

const modelErrors = [404, 413, 415, 429, 503]

type GenerationOperation = Operation<keyof typeof generationSchemas>

const codingOperations = (start: string): GenerationOperation[] => [
  {
    method: 'post',
    path: `${start}/tokenize`,
    summary: 'A text or a conversation as token ids',
    body: 'TokenizeRequest',
    response: 'TokenizeResponse',
    errors: modelErrors,
  },
  {
    method: 'post',
    path: `${start}/detokenize`,
    summary: 'Token ids as text',
    body: 'DetokenizeRequest',
    response: 'DetokenizeResponse',
    errors: modelErrors,
  },
  {
    method: 'post',
    path: `${start}/apply-template`,
    summary: 'The prompt that a conversation becomes, as text',
    body: 'ApplyTemplateRequest',
    response: 'ApplyTemplateResponse',
    errors: modelErrors,
  },
]

export const generationOperations: readonly GenerationOperation[] = [
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
  ...codingOperations('/v1'),
  ...codingOperations(''),
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
