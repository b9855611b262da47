/** One worker thread with PGlite, from its start to its end: requests go in, each gets its answer or an error. */
import { Worker } from 'node:worker_threads'
import { SteerError } from '../errors.ts'
import {
  unpackError,
  type FromWorker,
  type QueryResult,
  type Request,
  type ToWorker,
  type WorkerData,
} from './pglite-protocol.ts'

/** A result as drizzle's and pg-boss's types want it: rows of any type. */
export type Rows = Omit<QueryResult, 'rows'> & { rows: never[] }

export interface PgliteLink {
  /** Rejects with PostgreSQL's error, or DATABASE_UNAVAILABLE when the thread ends before it answers. */
  request(request: Request): Promise<Rows[]>
  /** Resolves with the thread's exit code. */
  readonly exited: Promise<number>
}

interface Pending {
  resolve(results: Rows[]): void
  reject(error: unknown): void
}

/** Resolves when PGlite is open. Fails DATABASE_UNAVAILABLE. */
export async function startPglite(
  dir: string,
  onNotification: (channel: string, payload: string) => void,
): Promise<PgliteLink> {
  const workerData: WorkerData = { dir }
  const worker = new Worker(new URL('./pglite-worker.ts', import.meta.url), { workerData })
  const pending = new Map<number, Pending>()
  const ready = Promise.withResolvers<void>()
  let failure: unknown
  let nextId = 0
  let isOver = false
  const gone = () =>
    new SteerError('DATABASE_UNAVAILABLE', 'PGlite stopped', failure ? { cause: failure } : {})

  worker.on('message', (message: FromWorker) => {
    if (message.type === 'ready') ready.resolve()
    else if (message.type === 'notification') onNotification(message.channel, message.payload)
    else if (message.type === 'unopened') {
      const cause = unpackError(message.error)
      const detail = `${dir} does not open: ${cause.message}`
      ready.reject(new SteerError('DATABASE_UNAVAILABLE', detail, { cause }))
    } else {
      const waiting = pending.get(message.id)
      pending.delete(message.id)
      if (message.type === 'done') waiting?.resolve(message.results as Rows[])
      else waiting?.reject(unpackError(message.error))
    }
  })
  worker.on('error', (error) => {
    failure = error
  })
  const exited = new Promise<number>((resolve) => {
    worker.on('exit', (code) => {
      isOver = true
      ready.reject(gone())
      for (const { reject } of pending.values()) reject(gone())
      pending.clear()
      resolve(code)
    })
  })
  await ready.promise
  return {
    exited,
    request: (request) =>
      new Promise((resolve, reject) => {
        if (isOver) return reject(gone())
        const message: ToWorker = { ...request, id: (nextId += 1) }
        pending.set(message.id, { resolve, reject })
        worker.postMessage(message)
      }),
  }
}
