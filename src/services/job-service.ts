/**
 * The use cases of jobs: check a request before anything is stored, create single jobs and pipelines, cancel, retry,
 * delete, follow. Runs nothing; a worker does, in this process or another.
 */
import { randomUUID } from 'node:crypto'
import type {
  CreateJobRequest,
  CreatePipelineRequest,
  ImportSpec,
  JobTask,
  PipelineStep,
} from '../../schemas/jobs.ts'
import { fail } from '../errors.ts'
import { inputsOf, outputsOf } from '../jobs/job-files.ts'
import type { JobHandler } from '../jobs/job-handler.ts'
import {
  isTerminal,
  writerOf,
  type JobsFilter,
  type JobStore,
  type NewJob,
  type StoredEvent,
  type StoredJob,
} from '../jobs/job-store.ts'
import { attemptOf } from '../jobs/job-worker.ts'

/** What is in the data folder now; asked before a job is stored. */
export interface JobPlaces {
  /** The exact name of a model that must not change under a job (`village@3`), else the name; null: there is none. */
  findModel(name: string): Promise<{ name: string; kind: 'language-model' | 'attribute-model' } | null> // prettier-ignore
  /** A workspace model or a data set of this name exists. */
  hasWorkspaceModel(name: string): Promise<boolean>
  hasDataset(name: string): Promise<boolean>
  hasAttributeSet(name: string): boolean
  /** Fails BAD_FILE when the path is not a folder below the import folder, BAD_REQUEST when the hub id is none. */
  checkImport(spec: ImportSpec): Promise<void>
}

export interface JobService {
  /** Fails BAD_REQUEST, MODEL_NOT_FOUND, DATASET_NOT_FOUND, ALREADY_EXISTS, JOB_NOT_FOUND, JOB_STATE. */
  create(request: CreateJobRequest, keyId: string | null): Promise<StoredJob>
  createPipeline(request: CreatePipelineRequest, keyId: string | null): Promise<StoredJob[]>
  list(filter: JobsFilter): Promise<StoredJob[]>
  withSpec(inside: Readonly<object>, filter: JobsFilter): Promise<StoredJob[]>
  get(id: string): Promise<StoredJob>
  /** In the order of creation. */
  inPipeline(pipelineId: string): Promise<StoredJob[]>
  cancel(id: string): Promise<StoredJob>
  retry(id: string): Promise<StoredJob>
  delete(id: string): Promise<void>
  events(id: string, after: number, limit: number): Promise<StoredEvent[]>
  /** Newest first, those before a seq. */
  lastEvents(id: string, limit: number, before?: number): Promise<StoredEvent[]>
  /** Of all steps of a training. */
  trainedTokens(id: string): Promise<number>
  watch(id: string, after: number, signal?: AbortSignal): AsyncGenerator<StoredEvent>
  /** Which active job reads or writes the model (`village@3`; `village` is all of it), such as `job 1f…`, or null. */
  isModelInUse(name: string): Promise<string | null>
  isDatasetInUse(name: string): Promise<string | null>
}

export interface JobServiceOptions {
  readonly store: JobStore
  readonly places: JobPlaces
  /** Where a deleted job's files are forgotten. */
  readonly handler: (kind: JobTask['kind']) => Pick<JobHandler, 'forget'>
  /** Starts without progress before a job fails. */
  readonly maxAttempts: number
}

/** A job to be, with the refs of a pipeline turned into ids. */
interface Draft {
  readonly job: NewJob
  /** Names the job's fields in an error: `pipeline.2.spec.data`. */
  readonly path: string
}

export function createJobService(options: JobServiceOptions): JobService {
  const { store, places, handler, maxAttempts } = options

  const insert = async (drafts: readonly Draft[]): Promise<StoredJob[]> => {
    const pinned = await Promise.all(drafts.map((draft) => pinModels(draft, places)))
    return store.insert(
      pinned.map(({ job }) => job),
      (active, parents) => checkAll(pinned, active, parents, places),
    )
  }

  return {
    async create(request, keyId) {
      const { name, priority, after, ...task } = request
      const job = newJob(task, { name, priority, keyId, maxAttempts, after: after ?? [] })
      const [created] = await insert([{ job, path: '' }])
      return created!
    },
    async createPipeline(request, keyId) {
      const pipelineId = randomUUID()
      const { name, priority, pipeline } = request
      const ids = refIds(pipeline)
      const drafts = pipeline.map(({ ref, after, ...task }, i): Draft => {
        const parents = (after ?? []).map((parent, k) => {
          return ids.get(parent) ?? unknownRef(parent, `pipeline.${i}.after.${k}`)
        })
        const title = name ? `${name}: ${ref}` : ref
        const common = { name: title, priority, keyId, maxAttempts, after: parents, pipelineId }
        return { job: { ...newJob(task, common), id: ids.get(ref)! }, path: `pipeline.${i}.` }
      })
      checkNoCircle(drafts)
      return insert(drafts)
    },
    list: (filter) => store.list(filter),
    withSpec: (inside, filter) => store.withSpec(inside, filter),
    get: (id) => store.get(id),
    inPipeline: (pipelineId) => store.inPipeline(pipelineId),
    lastEvents: (id, limit, before) => store.lastEvents(id, limit, before),
    trainedTokens: (id) => store.trainedTokens(id),
    cancel: (id) => store.cancel(id),
    retry: (id) => store.retry(id, (active, job) => checkRetry(job, active, places)),
    async delete(id) {
      const job = await store.delete(id)
      await handler(job.kind).forget(attemptOf(job))
    },
    events: (id, after, limit) => store.events(id, after, limit),
    watch: (id, after, signal) => store.watch(id, after, { signal }),
    async isModelInUse(name) {
      const uses = (names: readonly string[]): boolean =>
        names.some((used) => used === name || used.split('@')[0] === name)
      const job = (await store.active()).find(
        (job) => uses(inputsOf(job).models) || uses(outputsOf(job).models),
      )
      return job ? `job ${job.id}` : null
    },
    async isDatasetInUse(name) {
      const job = (await store.active()).find((job) =>
        [...inputsOf(job).datasets, ...outputsOf(job).datasets].includes(name),
      )
      return job ? `job ${job.id}` : null
    },
  }
}

interface CommonFields {
  readonly name?: string | null
  readonly priority?: number | null
  readonly after: readonly string[]
  readonly pipelineId?: string
  readonly keyId: string | null
  readonly maxAttempts: number
}

function newJob(task: JobTask, common: CommonFields): NewJob {
  return {
    ...task,
    id: randomUUID(),
    name: common.name ?? null,
    priority: common.priority ?? 0,
    pipelineId: common.pipelineId ?? null,
    after: [...new Set(common.after)],
    maxAttempts: common.maxAttempts,
    keyId: common.keyId,
  }
}

function refIds(pipeline: readonly PipelineStep[]): Map<string, string> {
  const ids = new Map<string, string>()
  pipeline.forEach(({ ref }, i) => {
    if (ids.has(ref)) badField(`pipeline.${i}.ref`, `"${ref}" stands twice`)
    ids.set(ref, randomUUID())
  })
  return ids
}

const badField = (param: string, detail: string): never =>
  fail('BAD_REQUEST', `${param}: ${detail}`, { param })

const unknownRef = (ref: string, param: string): never =>
  badField(param, `no step has the ref "${ref}"`)

/** A circle would wait for itself for ever. */
function checkNoCircle(drafts: readonly Draft[]): void {
  const done = new Set<string>()
  for (;;) {
    const ready = drafts.filter(
      ({ job }) => !done.has(job.id) && job.after.every((id) => done.has(id)),
    )
    if (ready.length === 0) break
    for (const { job } of ready) done.add(job.id)
  }
  const stuck = drafts.find(({ job }) => !done.has(job.id))
  if (stuck) badField(`${stuck.path}after`, 'the steps wait for each other in a circle')
}

/** The fields of a spec that name a model. */
const modelFields = ['base', 'model', 'apm', 'from'] as const

/**
 * A job must end in the same result whenever it runs again, so names that can come to mean another version
 * (`village@prod`) are stored as the version they mean now.
 */
async function pinModels({ job, path }: Draft, places: JobPlaces): Promise<Draft> {
  const spec: Record<string, unknown> = { ...job.spec }
  for (const field of modelFields) {
    const name = spec[field]
    if (typeof name !== 'string' || (job.kind === 'publish' && field === 'model')) continue
    const found = await places.findModel(name)
    if (found) spec[field] = found.name
  }
  return { job: { ...job, spec } as unknown as NewJob, path }
}

/** The jobs that a draft waits for, directly or not: what they write will be there when it starts. */
function ancestors(
  draft: Draft,
  drafts: readonly Draft[],
  stored: readonly StoredJob[],
): (NewJob | StoredJob)[] {
  const known = new Map<string, NewJob | StoredJob>()
  for (const job of stored) known.set(job.id, job)
  for (const { job } of drafts) known.set(job.id, job)
  const found = new Map<string, NewJob | StoredJob>()
  const visit = (id: string): void => {
    const job = known.get(id)
    if (!job || found.has(id)) return
    found.set(id, job)
    job.after.forEach(visit)
  }
  draft.job.after.forEach(visit)
  return [...found.values()]
}

async function checkAll(
  drafts: readonly Draft[],
  active: readonly StoredJob[],
  parents: readonly StoredJob[],
  places: JobPlaces,
): Promise<void> {
  checkParents(parents)
  const earlier: NewJob[] = []
  for (const draft of drafts) {
    const before = ancestors(draft, drafts, [...active, ...parents])
    await checkInputs(draft, before, active, places)
    await checkOutputs(draft, [...active, ...earlier], places)
    earlier.push(draft.job)
  }
}

function checkParents(parents: readonly StoredJob[]): void {
  const over = parents.find(({ status }) => isTerminal(status) && status !== 'succeeded')
  if (over)
    fail('JOB_STATE', `after: "${over.id}" has ${over.status}; retry it first`, { param: 'after' })
}

async function checkInputs(
  { job, path }: Draft,
  before: readonly (NewJob | StoredJob)[],
  active: readonly StoredJob[],
  places: JobPlaces,
): Promise<void> {
  const willBe = (folder: 'models' | 'datasets', name: string): boolean =>
    before.some((earlier) => outputsOf(earlier)[folder].includes(name) || (earlier.kind === 'publish' && folder === 'models' && name.split('@')[0] === earlier.spec.model)) // prettier-ignore
  const hint = (folder: 'models' | 'datasets', name: string): string => {
    const maker = writerOf(active, folder, name)
    return maker ? `; the job ${maker.id} is making it: name that in "after"` : ''
  }
  const spec = job.spec as Record<string, unknown>
  const fieldOf = (name: string): string =>
    `${path}spec.${Object.keys(spec).find((key) => spec[key] === name) ?? 'data'}`
  for (const name of inputsOf(job).datasets) {
    if (willBe('datasets', name) || (await places.hasDataset(name))) continue
    fail('DATASET_NOT_FOUND', `"${name}"${hint('datasets', name)}`, { param: fieldOf(name) })
  }
  for (const name of inputsOf(job).models) {
    if (willBe('models', name)) continue
    const found = await places.findModel(name)
    if (!found) fail('MODEL_NOT_FOUND', `"${name}"${hint('models', name)}`, { param: fieldOf(name) }) // prettier-ignore
    checkKind(job, name, found.kind, fieldOf(name))
  }
  if (typeof spec.attributes === 'string' && !places.hasAttributeSet(spec.attributes))
    badField(`${path}spec.attributes`, `no attribute set "${spec.attributes}" is built in`)
  if (job.kind === 'import') await places.checkImport(job.spec)
}

/** An attribute model where one is needed, a language model where text is written. */
function checkKind(task: JobTask, name: string, kind: string, param: string): void {
  const spec = task.spec as Record<string, unknown>
  if (spec.apm === name && kind !== 'attribute-model')
    fail('MODEL_NOT_PREDICTIVE', `"${name}" is a ${kind}`, { param })
  const writes = task.kind === 'bootstrap' || task.kind === 'evaluate'
  if (writes && spec.model === name && kind !== 'language-model')
    fail('MODEL_NOT_GENERATIVE', `"${name}" is an ${kind}`, { param })
}

/** Names that another job writes or reads, now or soon, are not free. */
function checkFree(
  task: JobTask,
  others: readonly (NewJob | StoredJob)[],
  describe: (name: string) => string,
  param: string | null,
): void {
  for (const folder of ['models', 'datasets'] as const) {
    for (const name of outputsOf(task)[folder]) {
      const writer = others.find((other) => outputsOf(other)[folder].includes(name))
      if (writer)
        fail('ALREADY_EXISTS', `${describe(name)} is being made by the job ${writer.id}`, { param })
    }
  }
}

/** What it wrote itself on the way, such as a bootstrap's samples, is not in its way. */
async function checkRetry(
  job: StoredJob,
  active: readonly StoredJob[],
  places: JobPlaces,
): Promise<void> {
  checkFree(job, active, (name) => `"${name}"`, null)
  if ((job.spec as { overwrite?: boolean | null }).overwrite) return
  for (const name of outputsOf(job).models)
    if (await places.hasWorkspaceModel(name)) fail('ALREADY_EXISTS', `model "${name}"`)
  if (job.kind === 'label' && (await places.hasDataset(job.spec.name)))
    fail('ALREADY_EXISTS', `data set "${job.spec.name}"`)
}

async function checkOutputs(
  { job, path }: Draft,
  others: readonly (NewJob | StoredJob)[],
  places: JobPlaces,
): Promise<void> {
  const param = `${path}spec.name`
  checkFree(job, others, (name) => `"${name}"`, param)
  if ((job.spec as { overwrite?: boolean | null }).overwrite) return
  const { models, datasets } = outputsOf(job)
  for (const name of models)
    if (await places.hasWorkspaceModel(name))
      fail('ALREADY_EXISTS', `model "${name}"; "overwrite": true replaces it`, { param })
  for (const name of datasets)
    if (await places.hasDataset(name))
      fail('ALREADY_EXISTS', `data set "${name}"; "overwrite": true replaces it`, { param })
}
