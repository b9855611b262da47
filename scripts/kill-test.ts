/**
 * Kills a server, its job processes and its engine processes (SIGKILL) at random moments while `http-loop.ts` runs
 * against it, and checks that nothing is lost or doubled: the same rows and bit-identical weights as an
 * undisturbed run, every job once, no gap in any job's events, and chat back within ten seconds.
 *   node scripts/kill-test.ts [--kills 30] [--seed 1] [--rated 400] [--unrated 400] [--epochs 3]
 *     [--streams 4] [--out DIR]
 */
import { spawn, type ChildProcess, type StdioOptions } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, readFileSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { sha256File } from '../src/util/hash.ts'
import { createRandom } from '../src/util/random.ts'

const root = fileURLToPath(new URL('..', import.meta.url))
const { values } = parseArgs({
  options: {
    kills: { type: 'string', default: '30' },
    seed: { type: 'string', default: '1' },
    rated: { type: 'string', default: '400' },
    unrated: { type: 'string', default: '400' },
    epochs: { type: 'string', default: '3' },
    streams: { type: 'string', default: '4' },
    port: { type: 'string', default: '18099' },
    out: { type: 'string', default: join(tmpdir(), 'steerlm-kill-test') },
  },
})
const url = `http://127.0.0.1:${values.port}`
const backWithinMs = 10_000
const random = createRandom(`kill test ${values.seed}`)

type Target = 'server' | 'job' | 'engine'

/** A server on a home that is started again whenever it was killed. */
class Supervised {
  #child!: ChildProcess
  #stopped = false
  readonly #home: string
  readonly #log: string[] = []

  constructor(home: string) {
    this.#home = home
  }

  get pid(): number {
    return this.#child.pid!
  }

  start(): void {
    const args = [join(root, 'src/main.ts'), 'serve', '--port', values.port, '--home', this.#home]
    // Kills come faster than some checkpoints, and one without a new checkpoint counts.
    const env = { ...process.env, STEERLM_JOB_ATTEMPTS: '100' }
    const stdio: StdioOptions = ['ignore', 'ignore', 'pipe']
    this.#child = spawn(process.execPath, args, { cwd: root, env, stdio })
    this.#child.stderr!.on('data', (data: Buffer) => this.#log.push(data.toString()))
    this.#child.once('exit', () => {
      if (!this.#stopped) setTimeout(() => this.start(), 200)
    })
  }

  async stop(): Promise<void> {
    this.#stopped = true
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return
    const ended = once(this.#child, 'exit')
    this.#child.kill('SIGTERM')
    await ended
  }

  tail(): string {
    return this.#log.join('').slice(-4000)
  }
}

/** The children of a process whose command line names `entry`. */
function childrenOf(pid: number, entry: string): number[] {
  return readdirSync('/proc').flatMap((name) => {
    if (!/^\d+$/.test(name)) return []
    try {
      const parent = /^PPid:\s+(\d+)/m.exec(readFileSync(`/proc/${name}/status`, 'utf8'))
      const command = readFileSync(`/proc/${name}/cmdline`, 'utf8')
      return Number(parent?.[1]) === pid && command.includes(entry) ? [Number(name)] : []
    } catch {
      return [] // it ended meanwhile
    }
  })
}

function victims(server: Supervised, target: Target): number[] {
  if (target === 'server') return [server.pid]
  return childrenOf(server.pid, target === 'job' ? 'job-process.ts' : 'engine-process.ts')
}

/** How long until a whole chat is answered, in milliseconds. */
async function chatBackMs(): Promise<number> {
  const started = performance.now()
  const messages = [{ role: 'user', content: 'Good morning!' }]
  const body = JSON.stringify({ model: 'village', messages, max_tokens: 8 })
  const headers = { 'content-type': 'application/json' }
  for (;;) {
    const response = await fetch(`${url}/v1/chat/completions`, {
      ...{ method: 'POST', headers, body, signal: AbortSignal.timeout(30_000) },
    }).catch(() => null)
    if (response?.ok) return performance.now() - started
    if (performance.now() - started > 120_000) throw new Error('chat did not come back')
    await sleep(50)
  }
}

interface LoopReport {
  readonly rated: number
  readonly unrated: number
  readonly jobs: readonly { readonly job: string; readonly status: string }[]
  readonly streams: { readonly coded: Record<string, number>; readonly errors: readonly string[] }
  readonly seconds: number
}

/** Runs the loop script; `beside` runs while it does. */
async function runLoop(beside?: (running: () => boolean) => Promise<void>): Promise<LoopReport> {
  const { rated, unrated, epochs, streams } = values
  const scale = ['--rated', rated, '--unrated', unrated, '--epochs', epochs, '--streams', streams, '--checkpoint-every', '2'] // prettier-ignore
  const args = [join(root, 'scripts/http-loop.ts'), '--url', url, '--patient', ...scale]
  const child = spawn(process.execPath, args, { cwd: root, stdio: ['ignore', 'pipe', 'inherit'] })
  let out = ''
  child.stdout.on('data', (data: Buffer) => (out += data.toString()))
  const ended = once(child, 'close') as Promise<[number | null]>
  await beside?.(() => child.exitCode === null && child.signalCode === null)
  const [code] = await ended
  if (code !== 0) throw new Error(`http-loop.ts ended with ${code}`)
  return JSON.parse(out) as LoopReport
}

/** Hashes of everything the loop made. */
async function results(home: string): Promise<Record<string, string>> {
  const files = [
    ...['loop-rated', 'loop-unrated', 'loop-labelled'].map((n) => `datasets/${n}/records.ndjson`),
    ...['loop-apm', 'loop-sft'].map((name) => `models/${name}/model.safetensors`),
    'models/loop-apm/head.safetensors',
    'registry/loop/versions/1/model.safetensors',
  ]
  const hashes = files.map(async (file) => [file, await sha256File(join(home, file))] as const)
  return Object.fromEntries(await Promise.all(hashes))
}

interface StoredEvent {
  readonly seq: number
}

async function problemsOfJobs(): Promise<string[]> {
  const list = async (path: string) =>
    ((await (await fetch(`${url}${path}`)).json()) as { data: unknown[] }).data
  const jobs = (await list('/v1/jobs?limit=100')) as { id: string; name: string; status: string }[]
  const problems = jobs.length === 5 ? [] : [`expected 5 jobs, there are ${jobs.length}`]
  for (const { id, name, status } of jobs) {
    if (status !== 'succeeded') problems.push(`${name} is ${status}`)
    const events = (await list(`/v1/jobs/${id}/events?format=json`)) as StoredEvent[]
    const gap = events.findIndex(({ seq }, i) => i > 0 && seq !== events[i - 1]!.seq + 1)
    if (gap >= 0) problems.push(`${name}: events skip from ${events[gap - 1]!.seq} to ${events[gap]!.seq}`) // prettier-ignore
  }
  return problems
}

async function fresh<T>(name: string, work: (server: Supervised, home: string) => Promise<T>) {
  const home = join(values.out, name)
  rmSync(home, { recursive: true, force: true })
  mkdirSync(home, { recursive: true })
  const server = new Supervised(home)
  server.start()
  try {
    await chatBackMs()
    return await work(server, home)
  } catch (error) {
    console.error(server.tail())
    throw error
  } finally {
    await server.stop()
  }
}

const calm = await fresh('calm', async (_server, home) => {
  const report = await runLoop()
  return { report, hashes: await results(home) }
})
console.log(`undisturbed: ${calm.report.seconds} s, streams ${JSON.stringify(calm.report.streams)}`)

const count = Number(values.kills)
const kills: Record<Target, number> = { server: 0, job: 0, engine: 0 }
const backMs: number[] = []
const stormy = await fresh('stormy', async (server, home) => {
  const report = await runLoop(async (running) => {
    while (running()) {
      await sleep(500 + 7000 * random.next())
      const left = (Object.keys(kills) as Target[]).filter((target) => kills[target] < count)
      if (left.length === 0 || !running()) return
      const target = random.pick(left)
      const found = victims(server, target)
      if (found.length === 0) continue
      process.kill(random.pick(found), 'SIGKILL')
      kills[target] += 1
      backMs.push(await chatBackMs())
      console.log(
        `killed ${target} ${kills[target]}: chat back in ${Math.round(backMs.at(-1)!)} ms`,
      )
    }
  })
  return { report, hashes: await results(home), problems: await problemsOfJobs() }
})

const problems = [...stormy.problems]
for (const [file, hash] of Object.entries(calm.hashes))
  if (stormy.hashes[file] !== hash) problems.push(`${file} differs from the undisturbed run's`)
const slow = backMs.filter((ms) => ms > backWithinMs)
if (slow.length > 0) problems.push(`chat took longer than 10 s ${slow.length} times`)
for (const part of ['rated', 'unrated'] as const)
  if (stormy.report[part] !== calm.report[part])
    problems.push(`${part}: ${stormy.report[part]} rows`)

const summary = {
  kills,
  backMs: { max: Math.round(Math.max(0, ...backMs)) },
  seconds: { calm: calm.report.seconds, stormy: stormy.report.seconds },
  streams: stormy.report.streams,
  problems,
}
console.log(JSON.stringify(summary, null, 2))
process.exit(problems.length > 0 ? 1 : 0)
