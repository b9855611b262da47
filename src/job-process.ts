/**
 * Entry of a job process: does one job and ends. Started by `jobs/process-handler.ts` through `child_process.fork`.
 * It runs the command of the command line that the job stands for, as work that steps back behind the server's.
 */
import { appendFileSync } from 'node:fs'
import { mkdir, readFile, readdir, rm, writeFile } from 'node:fs/promises'
import { setPriority } from 'node:os'
import { dirname, join } from 'node:path'
import { jobCommand, type CommandLine } from './commands/job-argv.ts'
import { SteerError, fail } from './errors.ts'
import { toFailure } from './jobs/direct-handler.ts'
import {
  lockPath,
  metricsPath,
  ownerPath,
  removeLeftovers,
  resultPath,
  trainingNames,
  workFolders,
  workPath,
} from './jobs/job-files.ts'
import type { Attempt } from './jobs/job-handler.ts'
import type { FromJob, JobSettings, ToJob } from './jobs/job-protocol.ts'
import { createPolitePause, type PolitePause } from './jobs/polite-pause.ts'
import { startGuard } from './jobs/process-guard.ts'
import { setProcessSessionConfig } from './ort/index.ts'
import { userModelPath } from './registry/model-folder.ts'
import { checkedImportPath } from './services/job-places.ts'
import { writeFileAtomic } from './util/atomic-file.ts'
import { waitForLock } from './util/exclusive-lock.ts'
import { sha256File } from './util/hash.ts'
import { setWorkHost } from './util/work-host.ts'

/** How long an earlier attempt's process may take to die before this one gives up. */
const lockWaitMs = 30_000

/** Whether the server writes replies, and who waits then; the first news may come before the work. */
let isBusy = false
let polite: PolitePause | undefined

function tellBusy(busy: boolean): void {
  isBusy = busy
  polite?.setBusy(busy)
}

type Run = (argv: string[]) => Promise<number>

const commands: Readonly<Record<CommandLine['command'], () => Promise<{ run: Run }>>> = {
  train: () => import('./commands/train.ts'),
  label: () => import('./commands/label.ts'),
  bootstrap: () => import('./commands/bootstrap.ts'),
  eval: () => import('./commands/eval.ts'),
  import: () => import('./commands/import.ts'),
}

/** Resolves when the message is out, so that the process may end after it. */
const send = (message: FromJob): Promise<void> =>
  new Promise((done) => {
    if (process.connected) process.send!(message, undefined, undefined, () => done())
    else done()
  })

const die = (): void => void process.kill(process.pid, 'SIGKILL')

/** A third of the server's weight: with the least there is, a server that always writes replies would stop every job. */
const niceness = 5

/** Less weight for every thread there is; threads made later inherit it. */
async function becomeNice(): Promise<void> {
  const threads = await readdir('/proc/self/task').catch(() => [])
  for (const thread of threads.length > 0 ? threads.map(Number) : [0]) {
    try {
      setPriority(thread, niceness)
    } catch {
      // A thread that has ended meanwhile, or a system that does not let us: the job runs all the same.
    }
  }
}

/**
 * Whether there may be checkpoints of this job. Those of another job of the same name are removed: going on from
 * them would end in another model.
 */
async function claimCheckpoints(attempt: Attempt, home: string): Promise<boolean> {
  for (const name of trainingNames(attempt)) {
    userModelPath(name, home)
    const owner = ownerPath(home, name)
    if ((await readFile(owner, 'utf8').catch(() => '')) === attempt.id) return true
    for (const path of workFolders(home, name)) await rm(path, { recursive: true, force: true })
    await mkdir(dirname(owner), { recursive: true })
    await writeFileAtomic(owner, attempt.id)
  }
  // A job without checkpoints begins anew, over what an earlier attempt may have written.
  return attempt.number > 1
}

/** Runs a command and gives what it printed as its JSON result. */
async function runCommand({ command, argv }: CommandLine): Promise<Record<string, unknown>> {
  const { run } = await commands[command]()
  const printed: string[] = []
  const print = console.log
  console.log = (text: unknown) => void printed.push(String(text))
  try {
    await run([...argv])
  } finally {
    console.log = print
  }
  const text = printed.at(-1) ?? fail('INTERNAL', 'internal: the command printed no result')
  return JSON.parse(text) as Record<string, unknown>
}

/** The command's result for the job's owner: no paths of this machine, and what proves which weights came out. */
async function describeResult(attempt: Attempt, printed: Record<string, unknown>, home: string) {
  const { path: _path, ...result } = printed
  if (attempt.kind !== 'train' && attempt.kind !== 'bootstrap') return result
  const weights = join(userModelPath(attempt.spec.name, home), 'model.safetensors')
  return { ...result, weights_sha256: await sha256File(weights) }
}

/** The result, from the work or from an earlier attempt that finished it but could not say so any more. */
async function work(attempt: Attempt, settings: JobSettings): Promise<unknown> {
  const { home, threads, importDir } = settings
  const saved = await readFile(resultPath(home, attempt.id), 'utf8').catch(() => null)
  if (saved !== null) return JSON.parse(saved) as unknown
  if (attempt.kind === 'publish') return fail('INTERNAL', 'internal: publish needs no process')
  await removeLeftovers(home, attempt)
  const importPath =
    attempt.kind === 'import' && attempt.spec.path != null
      ? await checkedImportPath(attempt.spec.path, importDir)
      : undefined
  const resume = await claimCheckpoints(attempt, home)
  const workFile = workPath(home, attempt.id)
  const line = jobCommand(attempt, { home, threads, resume, workFile, importPath })
  const result = await describeResult(attempt, await runCommand(line), home)
  await writeFileAtomic(resultPath(home, attempt.id), JSON.stringify(result))
  return result
}

/**
 * Tells the metrics of earlier attempts again, for the worker that was killed may not have stored the last ones (what
 * it has, it leaves out), and keeps those to come.
 */
async function keepMetrics(path: string): Promise<(row: Readonly<object>) => void> {
  const text = await readFile(path, 'utf8').catch(() => '')
  const whole = text.slice(0, text.lastIndexOf('\n') + 1) // a kill may have cut the last line
  for (const line of whole.split('\n').filter(Boolean))
    void send({ type: 'metrics', row: JSON.parse(line) as Record<string, unknown> })
  await mkdir(dirname(path), { recursive: true })
  await writeFile(path, whole)
  return (row) => appendFileSync(path, `${JSON.stringify(row)}\n`)
}

/** SIGTERM and SIGINT: a training stops by itself after a checkpoint; other work just ends. */
function stopOnSignals(): void {
  const stop = (signal: NodeJS.Signals): void => {
    if (process.listenerCount(signal) > 1) return
    void send({ type: 'stopped' }).then(die)
  }
  process.on('SIGTERM', stop)
  // Ctrl-C reaches the whole process group; the server stops its jobs itself.
  process.on('SIGINT', () => {})
}

async function run(attempt: Attempt, settings: JobSettings): Promise<void> {
  startGuard(settings.memoryBytes, (bytes) => {
    const [used, limit] = [bytes, settings.memoryBytes].map((n) => Math.round(n / 2 ** 20))
    const message = `the job used ${used} MiB, the limit is ${limit} MiB; smaller batches need less`
    void send({ type: 'failed', error: { code: 'JOB_MEMORY', message } }).then(die)
  })
  const lock = await waitForLock(lockPath(settings.home, attempt.id), lockWaitMs)
  if (!lock) return die() // Another process still works on this job: a crash, so that it is tried again.
  try {
    const keep = await keepMetrics(metricsPath(settings.home, attempt.id))
    polite = createPolitePause({ busyShare: settings.busyShare })
    polite.setBusy(isBusy)
    const { pause } = polite
    setWorkHost({
      progress: (progress) => void send({ type: 'progress', progress }),
      metrics(row) {
        keep(row)
        void send({ type: 'metrics', row: { ...row } })
      },
      checkpoint: (done) => void send({ type: 'checkpoint', done }),
      pause,
    })
    await send({ type: 'succeeded', result: await work(attempt, settings) })
  } catch (error) {
    const isStop = error instanceof SteerError && error.code === 'CANCELLED'
    if (!isStop && !(error instanceof SteerError)) console.error(error)
    await send(isStop ? { type: 'stopped' } : { type: 'failed', error: toFailure(error) })
  }
  process.exit(0)
}

if (!process.send) {
  process.stderr.write('job-process.ts is started by a worker, not by hand\n')
  process.exit(2)
}

// Nobody is left to store a result.
process.on('disconnect', die)
stopOnSignals()
await becomeNice()
setProcessSessionConfig({
  'session.intra_op.allow_spinning': '0',
  'session.inter_op.allow_spinning': '0',
})
process.on('message', (message: ToJob) => {
  if (message.type === 'busy') tellBusy(message.busy)
  else void run(message.attempt, message.settings)
})
await send({ type: 'hello' })
