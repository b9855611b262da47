/** Joins the parts of jobs: database → queue and store → service and worker → job processes. */
import { totalmem } from 'node:os'
import { join, resolve } from 'node:path'
import type { Device } from '../schemas/device.ts'
import type { PublishSpec } from '../schemas/jobs.ts'
import type { Config } from './config.ts'
import type { Database } from './database/index.ts'
import { createDirectHandler } from './jobs/direct-handler.ts'
import type { Attempt, JobHandler } from './jobs/job-handler.ts'
import { startJobQueue } from './jobs/job-queue.ts'
import { JobStore } from './jobs/job-store.ts'
import { JobWorker } from './jobs/job-worker.ts'
import { createProcessHandler } from './jobs/process-handler.ts'
import type { ModelPlaces } from './registry/model-folder.ts'
import type { PublishedModel, PublishOptions } from './registry/registry.ts'
import { createJobPlaces } from './services/job-places.ts'
import { createJobService, type JobService } from './services/job-service.ts'

/** The registry, as far as jobs need it. */
export interface JobPublisher {
  list(): Promise<PublishedModel[]>
  publish(options: Omit<PublishOptions, 'paths'>): Promise<{ version: number; sha256: string }>
}

export interface JobsOptions {
  readonly database: Database
  readonly places: ModelPlaces
  /** Below it, jobs may import checkpoints. */
  readonly importDir: string
  /** Jobs that this process runs at the same time; 0: it only takes them in. */
  readonly concurrency: number
  /** CPU threads of a job; 0: all cores. */
  readonly threads: number
  /** Unset: the best there is. */
  readonly device?: Device
  /** The share of the time that a job works while replies are written. */
  readonly busyShare: number
  /** Unset: three quarters of what the machine or the container has. */
  readonly memoryBytes?: number
  /** Starts without progress before a job fails. */
  readonly maxAttempts: number
  readonly publisher: JobPublisher
  readonly log: (event: object) => void
  /** Told of every job process. */
  readonly onSpawn?: (pid: number, attempt: Attempt) => void
}

export interface Jobs {
  readonly service: JobService
  /** While true, running jobs leave most of the time to the server. */
  setBusy(busy: boolean): void
  /** Puts running jobs back into the queue, with what they have saved. */
  stop(): Promise<void>
}

export async function startJobs(options: JobsOptions): Promise<Jobs> {
  const { database, places, importDir, concurrency, maxAttempts, log } = options
  const queue = await startJobQueue(database, log)
  const store = new JobStore(database, queue)
  const inProcess = createProcessHandler({
    entry: new URL('./job-process.ts', import.meta.url),
    settings: {
      home: places.home,
      importDir,
      threads: options.threads,
      device: options.device,
      busyShare: options.busyShare,
      memoryBytes: options.memoryBytes ?? defaultMemoryBytes(),
    },
    onSpawn: options.onSpawn,
  })
  const publish = createDirectHandler((attempt) => publishOnce(attempt, options.publisher))
  const handler = (kind: string): JobHandler => (kind === 'publish' ? publish : inProcess)
  const service = createJobService({
    store,
    places: createJobPlaces(places, importDir),
    handler,
    maxAttempts,
  })
  const worker = concurrency > 0 ? new JobWorker({ store, handler, concurrency, log }) : undefined
  await worker?.start()
  return {
    service,
    setBusy: (busy) => worker?.setBusy(busy),
    async stop() {
      await worker?.stop()
      await queue.stop()
    },
  }
}

/** What of the configuration is about jobs. */
export const jobSettings = (config: Config) => ({
  importDir: resolve(config.importDir ?? join(config.home, 'imports')),
  concurrency: config.jobs,
  threads: config.jobThreads,
  device: config.device,
  busyShare: config.jobShare,
  memoryBytes: config.jobMemoryMb === undefined ? undefined : config.jobMemoryMb * 2 ** 20,
  maxAttempts: config.jobAttempts,
})

function defaultMemoryBytes(): number {
  const constrained = process.constrainedMemory()
  const total = constrained > 0 ? Math.min(constrained, totalmem()) : totalmem()
  return Math.floor(total * 0.75)
}

/** Publishes once however often it is called: the version's note names the job. */
async function publishOnce(attempt: Attempt, publisher: JobPublisher) {
  const { model, from, aliases, note } = attempt.spec as PublishSpec
  const mark = `job ${attempt.id}`
  const published = (await publisher.list()).find(({ name }) => name === model)
  const earlier = published?.versions.find((version) => version.note?.endsWith(mark))
  const { version, sha256 } =
    earlier ??
    (await publisher.publish({
      model,
      from,
      aliases: aliases ?? [],
      note: note ? `${note} (${mark})` : mark,
    }))
  return { model, version, aliases: aliases ?? [], sha256 }
}
