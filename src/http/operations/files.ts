/** Files as OpenAI's API has them. */
import { File, FileDeleted, FileList } from '../../../schemas/files.ts'
import type { Operation } from './operation.ts'

export const fileSchemas = { File, FileDeleted, FileList } as const

const id = { name: 'id', in: 'path', description: 'The id of the file' } as const

export const fileOperations: readonly Operation<keyof typeof fileSchemas>[] = [
  {
    method: 'post',
    path: '/v1/files',
    summary: 'Upload a file, such as the rows of a fine-tuning job',
    rawBody: { 'multipart/form-data': 'The field purpose and the file' },
    response: 'File',
    errors: [413, 415, 507],
  },
  {
    method: 'get',
    path: '/v1/files',
    summary: 'The files, newest first',
    response: 'FileList',
    parameters: [
      { name: 'purpose', in: 'query', description: 'Only files of this purpose' },
      { name: 'limit', in: 'query', description: 'The most files, 1 to 10000; 10000 unless given' },
      { name: 'order', in: 'query', description: 'asc or desc, by age; desc unless given' },
      { name: 'after', in: 'query', description: 'The last id of the page before' },
    ],
  },
  {
    method: 'get',
    path: '/v1/files/{id}',
    summary: 'One file',
    response: 'File',
    parameters: [id],
    errors: [404],
  },
  {
    method: 'get',
    path: '/v1/files/{id}/content',
    summary: 'The content of a file',
    response: null,
    rawResponse: ['application/octet-stream'],
    parameters: [id],
    errors: [404],
  },
  {
    method: 'delete',
    path: '/v1/files/{id}',
    summary: 'Delete a file',
    response: 'FileDeleted',
    parameters: [id],
    errors: [404],
  },
]
