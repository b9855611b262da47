/** What models say of texts: decisions, embeddings, and KServe's protocol. */
import {
  Decision,
  DecisionAnswer,
  DecisionMessage,
  DecisionQuestion,
  DecisionRequest,
} from '../../../schemas/decisions.ts'
import { EmbeddingList, EmbeddingRequest } from '../../../schemas/embeddings.ts'
import {
  InferenceError,
  InferenceHealth,
  InferenceModel,
  InferenceRequest,
  InferenceResponse,
  InferenceServer,
} from '../../../schemas/inference.ts'
import type { Operation } from './operation.ts'

export const judgingSchemas = {
  Decision,
  DecisionAnswer,
  DecisionMessage,
  DecisionQuestion,
  DecisionRequest,
  EmbeddingList,
  EmbeddingRequest,
  InferenceError,
  InferenceHealth,
  InferenceModel,
  InferenceRequest,
  InferenceResponse,
  InferenceServer,
} as const

const model = { name: 'model', in: 'path', description: 'The name of the model' } as const
const modelErrors = [404, 413, 415, 429, 503]

export const judgingOperations: readonly Operation<keyof typeof judgingSchemas>[] = [
  {
    method: 'post',
    path: '/v1/decisions',
    summary: 'Answer questions about an input with probabilities',
    body: 'DecisionRequest',
    response: 'Decision',
    errors: modelErrors,
  },
  {
    method: 'post',
    path: '/v1/embeddings',
    summary: 'Texts or token ids as vectors',
    body: 'EmbeddingRequest',
    response: 'EmbeddingList',
    errors: modelErrors,
  },
  { method: 'get', path: '/v2', summary: 'The server, in KServe’s protocol', response: 'InferenceServer' }, // prettier-ignore
  { method: 'get', path: '/v2/health/live', summary: 'The server answers', response: 'InferenceHealth' }, // prettier-ignore
  {
    method: 'get',
    path: '/v2/health/ready',
    summary: 'Every model can answer',
    response: 'InferenceHealth',
    errors: [503],
  },
  {
    method: 'get',
    path: '/v2/models/{model}',
    summary: 'The tensors of an attribute model',
    response: 'InferenceModel',
    parameters: [model],
    errors: [404],
  },
  {
    method: 'get',
    path: '/v2/models/{model}/ready',
    summary: 'The model can answer',
    response: 'InferenceHealth',
    parameters: [model],
    errors: [404, 503],
  },
  {
    method: 'post',
    path: '/v2/models/{model}/infer',
    summary: 'Rate replies with an attribute model',
    body: 'InferenceRequest',
    response: 'InferenceResponse',
    parameters: [model],
    errors: modelErrors,
  },
]
