/**
 * Runs each attempt of a job in a child process of its own (`src/job-process.ts`): a crash or too much memory costs the
 * job an attempt, never the server. Owns the process's life; what the job does is the child's business.
 */
import { fork, type ChildProcess } from 'node:child_process'
import { rm } from 'node:fs/promises'
import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'
import {
  lockPath,
  metricsPath,
  removeCheckpoints,
  removeLeftovers,
  resultPath,
  workPath,
} from './job-files.ts'
import type { Attempt, JobEnd, JobHandler, JobSink, RunningJob } from './job-handler.ts'
import type { FromJob, JobSettings, ToJob } from './job-protocol.ts'

export interface ProcessHandlerOptions {
  /** The module that the process runs. */
  readonly entry: URL
  readonly settings: JobSettings
  /** From a request to stop to SIGKILL: time to finish a step and write a checkpoint. */
  readonly graceMs?: number
  /** Told of every process, for those who kill them in tests. */
  readonly onSpawn?: (pid: number, attempt: Attempt) => void
}

/** What V8 prints when the JavaScript heap is full, before it aborts. */
const HEAP_FULL = /JavaScript heap out of memory/

export function createProcessHandler(options: ProcessHandlerOptions): JobHandler {
  const { home } = options.settings
  return {
    start: (attempt, sink) => startProcess(options, attempt, sink),
    async forget(attempt) {
      await removeLeftovers(home, attempt)
      await removeCheckpoints(home, attempt)
      for (const pathOf of [resultPath, metricsPath, workPath, lockPath])
        for (const ending of ['', '-journal'])
          await rm(pathOf(home, attempt.id) + ending, { force: true })
    },
  }
}

function forkJob({ entry, settings }: ProcessHandlerOptions): ChildProcess {
  const env = { ...process.env }
  // A test runner's loaders are of no use to the child.
  delete env.NODE_OPTIONS
  if (settings.device) env['STEERLM_DEVICE'] = settings.device
  return fork(entry, [], {
    serialization: 'advanced',
    // Beyond V8's own limit, where the memory limit allows it.
    execArgv: [`--max-old-space-size=${Math.ceil(settings.memoryBytes / 2 ** 20)}`],
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    env,
  })
}

function startProcess(options: ProcessHandlerOptions, attempt: Attempt, sink: JobSink): RunningJob {
  const { settings, graceMs = 30_000 } = options
  const child = forkJob(options)
  if (child.pid !== undefined) options.onSpawn?.(child.pid, attempt)
  const send = (message: ToJob): void => {
    // A send to a process that just ended fails; its exit says all there is to say.
    if (child.connected) child.send(message, () => {})
  }
  let said: JobEnd | undefined
  let isHeapFull = false
  let isBusy = false
  const onLine = (line: string): void => {
    if (HEAP_FULL.test(line)) isHeapFull = true
    sink.log(line)
  }
  readLines(child.stdout, onLine)
  readLines(child.stderr, onLine)
  child.on('message', (message: FromJob) => {
    if (message.type === 'hello') {
      send({ type: 'run', attempt, settings })
      if (isBusy) send({ type: 'busy', busy: true })
    } else if (message.type === 'progress') sink.progress(message.progress)
    else if (message.type === 'metrics') sink.metrics(message.row)
    else if (message.type === 'checkpoint') sink.checkpoint(message.done)
    else if (message.type === 'log') sink.log(message.line)
    else said = message
  })

  let graceTimer: NodeJS.Timeout | undefined
  const ended = new Promise<JobEnd>((resolve) => {
    const settle = (detail: string): void => {
      clearTimeout(graceTimer)
      if (isHeapFull) said ??= memoryFailure(settings)
      // What an attempt could not finish is of no use to anybody.
      void removeLeftovers(settings.home, attempt)
        .catch((error: Error) => sink.log(`leftovers: ${error.message}`))
        .then(() => resolve(said ?? { type: 'crashed', detail }))
    }
    child.once('error', (error) => {
      if (child.pid === undefined) settle(error.message)
    })
    // `close`: the last lines are read too.
    child.once('close', (code, signal) => settle(signal ? `signal ${signal}` : `exit code ${code}`))
  })
  return {
    ended,
    stop() {
      child.kill('SIGTERM')
      graceTimer ??= setTimeout(() => child.kill('SIGKILL'), graceMs)
    },
    kill: () => void child.kill('SIGKILL'),
    setBusy(busy) {
      if (busy === isBusy) return
      isBusy = busy
      send({ type: 'busy', busy })
    },
  }
}

function memoryFailure({ memoryBytes }: JobSettings): JobEnd {
  const limit = Math.round(memoryBytes / 2 ** 20)
  return {
    type: 'failed',
    error: { code: 'JOB_MEMORY', message: `the limit is ${limit} MiB; smaller batches need less` },
  }
}

function readLines(stream: Readable | null, onLine: (line: string) => void): void {
  if (!stream) return
  createInterface({ input: stream }).on('line', (line) => {
    if (line.trim() !== '') onLine(line.slice(0, 4000))
  })
}
