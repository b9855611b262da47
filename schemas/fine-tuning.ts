/** OpenAI's fine-tuning API, as its SDK sends and reads it. */
import { z } from 'zod'

const auto = <Schema extends z.ZodType>(schema: Schema) =>
  z.union([z.literal('auto'), schema]).nullish()

const Hyperparameters = z.strictObject({
  batch_size: auto(z.int().min(1).max(4096)),
  /** Times the learning rate of 3e-4. */
  learning_rate_multiplier: auto(z.number().gt(0).max(1000)),
  n_epochs: auto(z.number().gt(0).max(1000)),
})

export const CreateFineTuningJob = z.strictObject({
  /** A language model by name. */
  model: z.string(),
  /** A file of `/v1/files`: conversations, one JSON object a line. */
  training_file: z.string(),
  /** Part of the new model's name. */
  suffix: z.string().min(1).max(64).nullish(),
  seed: z.int().min(0).nullish(),
  method: z
    .strictObject({
      type: z.literal('supervised'),
      supervised: z.strictObject({ hyperparameters: Hyperparameters.nullish() }).nullish(),
    })
    .nullish(),
  hyperparameters: Hyperparameters.nullish(),
  metadata: z.record(z.string().max(64), z.string().max(512)).nullish(),
  /** Not supported: the training file may hold rows back (`validation` of a training job). */
  validation_file: z.null().optional(),
  integrations: z.union([z.null(), z.array(z.unknown()).max(0)]).optional(),
})
export type CreateFineTuningJob = z.infer<typeof CreateFineTuningJob>

const Used = z.strictObject({
  batch_size: z.union([z.literal('auto'), z.number()]),
  learning_rate_multiplier: z.union([z.literal('auto'), z.number()]),
  n_epochs: z.union([z.literal('auto'), z.number()]),
})

export const FineTuningJob = z.strictObject({
  id: z.string(),
  object: z.literal('fine_tuning.job'),
  created_at: z.int(),
  finished_at: z.int().nullable(),
  estimated_finish: z.int().nullable(),
  model: z.string(),
  /** The name to chat with, once the job has succeeded. */
  fine_tuned_model: z.string().nullable(),
  organization_id: z.string(),
  status: z.enum(['validating_files', 'queued', 'running', 'succeeded', 'failed', 'cancelled']),
  hyperparameters: Used,
  method: z.strictObject({
    type: z.literal('supervised'),
    supervised: z.strictObject({ hyperparameters: Used }),
  }),
  training_file: z.string(),
  validation_file: z.null(),
  result_files: z.array(z.string()),
  trained_tokens: z.int().nullable(),
  error: z
    .strictObject({ code: z.string(), message: z.string(), param: z.string().nullable() })
    .nullable(),
  seed: z.int(),
  user_provided_suffix: z.string().nullable(),
  metadata: z.record(z.string(), z.string()).nullable(),
  integrations: z.array(z.unknown()),
})
export type FineTuningJob = z.infer<typeof FineTuningJob>

export const FineTuningJobList = z.strictObject({
  object: z.literal('list'),
  data: z.array(FineTuningJob),
  has_more: z.boolean(),
})
export type FineTuningJobList = z.infer<typeof FineTuningJobList>

export const FineTuningEvent = z.strictObject({
  id: z.string(),
  object: z.literal('fine_tuning.job.event'),
  created_at: z.int(),
  level: z.enum(['info', 'warn', 'error']),
  message: z.string(),
  type: z.enum(['message', 'metrics']),
  data: z.record(z.string(), z.unknown()),
})
export type FineTuningEvent = z.infer<typeof FineTuningEvent>

export const FineTuningEventList = z.strictObject({
  object: z.literal('list'),
  data: z.array(FineTuningEvent),
  has_more: z.boolean(),
})
export type FineTuningEventList = z.infer<typeof FineTuningEventList>

export const FineTuningCheckpoint = z.strictObject({
  id: z.string(),
  object: z.literal('fine_tuning.job.checkpoint'),
  created_at: z.int(),
  fine_tuned_model_checkpoint: z.string(),
  fine_tuning_job_id: z.string(),
  step_number: z.int(),
  metrics: z.strictObject({ step: z.number(), train_loss: z.number().optional() }),
})

export const FineTuningCheckpointList = z.strictObject({
  object: z.literal('list'),
  data: z.array(FineTuningCheckpoint),
  has_more: z.boolean(),
})
export type FineTuningCheckpointList = z.infer<typeof FineTuningCheckpointList>

export const FineTuningQuery = z.strictObject({
  /** The last id of the page before. */
  after: z.string().optional(),
  limit: z.coerce.number().int().min(1).max(200).optional(),
})
