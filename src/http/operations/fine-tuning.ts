/** OpenAI's fine-tuning API. */
import {
  CreateFineTuningJob,
  FineTuningCheckpoint,
  FineTuningCheckpointList,
  FineTuningEvent,
  FineTuningEventList,
  FineTuningJob,
  FineTuningJobList,
} from '../../../schemas/fine-tuning.ts'
import type { Operation } from './operation.ts'

export const fineTuningSchemas = {
  CreateFineTuningJob,
  FineTuningCheckpoint,
  FineTuningCheckpointList,
  FineTuningEvent,
  FineTuningEventList,
  FineTuningJob,
  FineTuningJobList,
} as const

const id = { name: 'id', in: 'path', description: 'The id of the fine-tuning job' } as const
const page = [
  { name: 'after', in: 'query', description: 'The last id of the page before' },
  { name: 'limit', in: 'query', description: 'At most so many; 20 unless given' },
] as const

export const fineTuningOperations: readonly Operation<keyof typeof fineTuningSchemas>[] = [
  {
    method: 'post',
    path: '/v1/fine_tuning/jobs',
    summary: 'Fine-tune a model on an uploaded file and publish it',
    body: 'CreateFineTuningJob',
    response: 'FineTuningJob',
    errors: [404, 413, 415],
  },
  {
    method: 'get',
    path: '/v1/fine_tuning/jobs',
    summary: 'Fine-tuning jobs, newest first',
    response: 'FineTuningJobList',
    parameters: page,
    errors: [404],
  },
  {
    method: 'get',
    path: '/v1/fine_tuning/jobs/{id}',
    summary: 'One fine-tuning job',
    response: 'FineTuningJob',
    parameters: [id],
    errors: [404],
  },
  {
    method: 'post',
    path: '/v1/fine_tuning/jobs/{id}/cancel',
    summary: 'Stop a fine-tuning job',
    response: 'FineTuningJob',
    parameters: [id],
    errors: [404, 409],
  },
  {
    method: 'get',
    path: '/v1/fine_tuning/jobs/{id}/events',
    summary: 'What happened, newest first',
    response: 'FineTuningEventList',
    parameters: [id, ...page],
    errors: [404],
  },
  {
    method: 'get',
    path: '/v1/fine_tuning/jobs/{id}/checkpoints',
    summary: 'The finished model, once there is one',
    response: 'FineTuningCheckpointList',
    parameters: [id],
    errors: [404],
  },
]
