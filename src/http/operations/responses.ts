/** OpenAI's Responses API. */
import {
  ResponseDeleted,
  ResponseEvent,
  ResponseInputItem,
  ResponseItem,
  ResponseItemList,
  ResponseLogprob,
  ResponseObject,
  ResponseOutputMessage,
  ResponseOutputText,
  ResponseRequest,
  ResponseUsage,
} from '../../../schemas/responses.ts'
import type { Operation } from './operation.ts'

export const responseSchemas = {
  ResponseDeleted,
  ResponseEvent,
  ResponseInputItem,
  ResponseItem,
  ResponseItemList,
  ResponseLogprob,
  ResponseObject,
  ResponseOutputMessage,
  ResponseOutputText,
  ResponseRequest,
  ResponseUsage,
} as const

const id = { name: 'id', in: 'path', description: 'The id of the response' } as const

export const responseOperations: readonly Operation<keyof typeof responseSchemas>[] = [
  {
    method: 'post',
    path: '/v1/responses',
    summary: 'Write a response, alone or after a stored one, steered by attribute values',
    body: 'ResponseRequest',
    response: 'ResponseObject',
    events: 'ResponseEvent',
    errors: [404, 413, 415, 429, 503],
  },
  {
    method: 'get',
    path: '/v1/responses/{id}',
    summary: 'A stored response, or with `stream=true` its events',
    response: 'ResponseObject',
    events: 'ResponseEvent',
    parameters: [
      id,
      { name: 'stream', in: 'query', description: '`true`: replay it as events' },
      {
        name: 'starting_after',
        in: 'query',
        description: 'Of the events only those after this sequence number',
      },
    ],
    errors: [404],
  },
  {
    method: 'delete',
    path: '/v1/responses/{id}',
    summary: 'Delete a stored response',
    response: 'ResponseDeleted',
    parameters: [id],
    errors: [404],
  },
  {
    method: 'get',
    path: '/v1/responses/{id}/input_items',
    summary: 'What a response was made from, earlier responses included',
    response: 'ResponseItemList',
    parameters: [
      id,
      { name: 'limit', in: 'query', description: 'Items at most, 1 to 100; 20 unless given' },
      { name: 'order', in: 'query', description: '`asc` or `desc`, which it is unless given' },
      { name: 'after', in: 'query', description: 'Go on after the item with this id' },
    ],
    errors: [404],
  },
]
