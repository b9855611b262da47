/**
 * Jobs: long work that the server runs in the background. One spec per kind; a job's life as an object and as events
 * (`docs/jobs.md`). Names of outputs are checked like everywhere; a spec never holds a path outside the import folder.
 */
import { z } from 'zod'
import { QuantizationScheme } from './model-manifest.ts'

const name = z
  .string()
  .max(100)
  .regex(/^[a-z0-9][a-z0-9._-]*$/i, { error: 'expected letters, digits, . _ -' })

/** A model by name, by `name@alias` or by `name@version`; never a path. */
const modelRef = z
  .string()
  .max(210)
  .regex(/^[a-z0-9][a-z0-9._-]*(@[a-z0-9][a-z0-9._-]*)?$/i, {
    error: 'expected the name of a model, name@alias or name@version',
  })

const count = z.int().min(0).max(1_000_000_000)
const positive = z.int().min(1).max(1_000_000_000)
const share = z.number().min(0).max(1)
const seed = z.int().min(0).nullish()

/** The flags that every training takes; left out, the command line's defaults apply. */
const trainingFields = {
  epochs: z.number().min(0).nullish(),
  /** Optimizer steps; 0: by `epochs`. */
  max_steps: count.nullish(),
  batch_size: positive.nullish(),
  accumulate: positive.nullish(),
  max_tokens: count.nullish(),
  lr: z.number().min(0).nullish(),
  lr_schedule: z.enum(['constant', 'linear', 'cosine']).nullish(),
  warmup_steps: count.nullish(),
  weight_decay: z.number().min(0).nullish(),
  clip_norm: z.number().min(0).nullish(),
  seed,
  eval_every: count.nullish(),
  /** Steps between checkpoints: what a kill costs at most. */
  checkpoint_every: count.nullish(),
  label_dropout: share.nullish(),
  /** Of the written weights. */
  dtype: z.enum(['f32', 'f16']).nullish(),
}

/** Replaces an output of that name; without it a taken name is an error. */
const overwrite = z.boolean().nullish()

export const TrainSpec = z.strictObject({
  stage: z.enum(['pretrain', 'apm', 'sft']),
  data: name,
  base: modelRef,
  /** Name of the model that comes out. */
  name,
  attributes: name.nullish(),
  template: z.enum(['chat', 'nemo']).nullish(),
  /** Rank of LoRA adapters; 0 or absent: all weights. */
  lora: z.int().min(0).max(1024).nullish(),
  alpha: z.number().min(0).nullish(),
  label_tokens: z.boolean().nullish(),
  /** Share of the rows held back. */
  validation: z.number().min(0).max(0.5).nullish(),
  overwrite,
  ...trainingFields,
  /** The caller's own; kept with the job and not used. */
  metadata: z.record(z.string(), z.string()).nullish(),
})
export type TrainSpec = z.infer<typeof TrainSpec>

export const LabelSpec = z.strictObject({ data: name, apm: modelRef, name, overwrite })
export type LabelSpec = z.infer<typeof LabelSpec>

export const BootstrapSpec = z.strictObject({
  data: name,
  model: modelRef,
  apm: modelRef,
  name,
  samples: positive.nullish(),
  mix: count.nullish(),
  top_k: count.nullish(),
  temperature: z.number().min(0).nullish(),
  concurrency: z.int().min(1).max(64).nullish(),
  overwrite,
  ...trainingFields,
})
export type BootstrapSpec = z.infer<typeof BootstrapSpec>

export const EvaluateSpec = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('apm'), apm: modelRef, data: name }),
  z.strictObject({
    type: z.literal('steering'),
    model: modelRef,
    /** The judge; `meters: village` is another one. At least one of the two. */
    apm: modelRef.nullish(),
    meters: z.enum(['none', 'village']).nullish(),
    /** A data set whose conversations give the prompts; absent: held-out village prompts. */
    prompts: name.nullish(),
    limit: positive.nullish(),
    levels: z.array(z.number()).min(2).max(32).nullish(),
    others: z.enum(['random', 'default']).nullish(),
    temperature: z.number().min(0).nullish(),
    prompt_only: count.nullish(),
    concurrency: z.int().min(1).max(64).nullish(),
    seed,
  }),
])
export type EvaluateSpec = z.infer<typeof EvaluateSpec>

export const ImportSpec = z
  .strictObject({
    /** A folder with a Hugging Face checkpoint, below the server's import folder. */
    path: z.string().min(1).max(1000).nullish(),
    /** Instead of a path: a model of the hub, `owner/name` or `owner/name@revision`. */
    hub: z.string().min(1).max(300).nullish(),
    name,
    attributes: name.nullish(),
    quantize: QuantizationScheme.nullish(),
    overwrite,
  })
  .refine((spec) => (spec.path == null) !== (spec.hub == null), {
    error: 'expected either a path or a hub id',
    path: ['path'],
  })
export type ImportSpec = z.infer<typeof ImportSpec>

export const PublishSpec = z.strictObject({
  /** The published name; a new version of it. */
  model: name,
  /** The model that the version holds. */
  from: modelRef,
  aliases: z.array(name).max(16).nullish(),
  note: z.string().max(2000).nullish(),
})
export type PublishSpec = z.infer<typeof PublishSpec>

/** The spec of each kind. */
export interface JobSpecs {
  train: TrainSpec
  label: LabelSpec
  bootstrap: BootstrapSpec
  evaluate: EvaluateSpec
  import: ImportSpec
  publish: PublishSpec
}
export type JobKind = keyof JobSpecs
/** A kind with its spec. */
export type JobTask = { [K in JobKind]: { kind: K; spec: JobSpecs[K] } }[JobKind]

export const jobKinds = ['train', 'label', 'bootstrap', 'evaluate', 'import', 'publish'] as const
export const JobKindName = z.enum(jobKinds)

const title = z.string().min(1).max(200).nullish()
const priority = z.int().min(-100).max(100).nullish()

/** The six kinds as members of a union, each with the same further fields. */
const tasks = <Shape extends z.ZodRawShape>(shape: Shape) =>
  [
    z.strictObject({ kind: z.literal('train'), spec: TrainSpec, ...shape }),
    z.strictObject({ kind: z.literal('label'), spec: LabelSpec, ...shape }),
    z.strictObject({ kind: z.literal('bootstrap'), spec: BootstrapSpec, ...shape }),
    z.strictObject({ kind: z.literal('evaluate'), spec: EvaluateSpec, ...shape }),
    z.strictObject({ kind: z.literal('import'), spec: ImportSpec, ...shape }),
    z.strictObject({ kind: z.literal('publish'), spec: PublishSpec, ...shape }),
  ] as const

export const CreateJobRequest = z.discriminatedUnion(
  'kind',
  tasks({
    name: title,
    /** Higher runs first. */
    priority,
    /** Jobs that must have succeeded before this one starts. */
    after: z.array(z.uuid()).max(32).nullish(),
  }),
)
export type CreateJobRequest = z.infer<typeof CreateJobRequest>

export const PipelineStep = z.discriminatedUnion(
  'kind',
  tasks({
    /** The step's name within the request. */
    ref: z.string().min(1).max(64),
    /** Refs of the steps that must have succeeded before this one starts. */
    after: z.array(z.string().max(64)).max(32).nullish(),
  }),
)
export type PipelineStep = z.infer<typeof PipelineStep>

export const CreatePipelineRequest = z.strictObject({
  pipeline: z.array(PipelineStep).min(1).max(64),
  name: title,
  priority,
})
export type CreatePipelineRequest = z.infer<typeof CreatePipelineRequest>

export const NewJobs = z.union([CreateJobRequest, CreatePipelineRequest])

export const JobStatus = z.enum([
  'waiting',
  'queued',
  'running',
  'succeeded',
  'failed',
  'cancelled',
])
export type JobStatus = z.infer<typeof JobStatus>

export const JobProgress = z.strictObject({
  done: z.number(),
  total: z.number(),
  unit: z.string(),
  note: z.string(),
})
export type JobProgress = z.infer<typeof JobProgress>

export const Job = z.strictObject({
  id: z.string(),
  object: z.literal('job'),
  kind: JobKindName,
  name: z.string().nullable(),
  spec: z.record(z.string(), z.unknown()),
  /** `waiting`: for the jobs in `after`. */
  status: JobStatus,
  priority: z.int(),
  /** Shared by the jobs of one pipeline. */
  pipeline_id: z.string().nullable(),
  after: z.array(z.string()),
  progress: JobProgress.nullable(),
  /** What the command gives with --json. */
  result: z.unknown(),
  error: z.strictObject({ code: z.string(), message: z.string() }).nullable(),
  /** Times the job was started; more than one after a crash, a restart or a retry. */
  attempts: z.int(),
  created_at: z.int(),
  started_at: z.int().nullable(),
  finished_at: z.int().nullable(),
})
export type Job = z.infer<typeof Job>

export const JobList = z.strictObject({
  object: z.literal('list'),
  data: z.array(Job),
  has_more: z.boolean().optional(),
})
export type JobList = z.infer<typeof JobList>

/** One job, or the jobs of a pipeline in its order. */
export const CreatedJobs = z.union([Job, JobList])

export const JobDeleted = z.strictObject({
  id: z.string(),
  object: z.literal('job'),
  deleted: z.literal(true),
})
export type JobDeleted = z.infer<typeof JobDeleted>

export const JobEventType = z.enum(['status', 'progress', 'metrics', 'log', 'result', 'error'])
export type JobEventType = z.infer<typeof JobEventType>

export const JobEvent = z.strictObject({
  /** 1, 2, 3, … within the job, without gaps. */
  seq: z.int(),
  type: JobEventType,
  data: z.record(z.string(), z.unknown()),
  created_at: z.int(),
})
export type JobEvent = z.infer<typeof JobEvent>

export const JobEventList = z.strictObject({
  object: z.literal('list'),
  data: z.array(JobEvent),
  has_more: z.boolean(),
})
export type JobEventList = z.infer<typeof JobEventList>

const queryNumber = (min: number, max: number) => z.coerce.number().int().min(min).max(max)

export const JobsQuery = z.strictObject({
  status: JobStatus.optional(),
  kind: JobKindName.optional(),
  /** Those of one pipeline. */
  pipeline_id: z.uuid().optional(),
  limit: queryNumber(1, 200).optional(),
  /** The id of a job: those created before it. */
  before: z.uuid().optional(),
})

export const JobEventsQuery = z.strictObject({
  format: z.enum(['json', 'sse']).optional(),
  /** Events after this seq. */
  after: queryNumber(0, Number.MAX_SAFE_INTEGER).optional(),
  limit: queryNumber(1, 10_000).optional(),
})
