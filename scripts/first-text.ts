/**
 * How long a chat waits for its first text while a training job runs, against an idle server.
 *   node scripts/first-text.ts [--chats 60] [--rounds 3] [--share 0.2] [--port 18098]
 * One chat at a time with random pauses between them, idle and training in turns.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { writeDataset } from '../src/datasets/dataset-store.ts'
import { generateVillage } from '../src/datasets/village/index.ts'
import { createRandom } from '../src/util/random.ts'
import { percentile } from '../src/util/statistics.ts'

const { values } = parseArgs({
  options: {
    chats: { type: 'string', default: '60' },
    rounds: { type: 'string', default: '3' },
    share: { type: 'string', default: '0.2' },
    port: { type: 'string', default: '18098' },
  },
})
const url = `http://127.0.0.1:${values.port}`
const random = createRandom('first text')
const headers = { 'content-type': 'application/json' }

const prompts = [...generateVillage({ seed: 9, heldoutPrompts: 50 }).heldoutPrompts].map(
  ({ messages }) => messages.slice(0, messages.findLastIndex(({ role }) => role === 'user') + 1),
)

interface Chat {
  /** Milliseconds to the first delta with text. */
  readonly firstMs: number
  /** Deltas a second after it. */
  readonly perSecond: number
}

/** Streams one reply. */
async function chat(): Promise<Chat> {
  const messages = random.pick(prompts)
  const body = JSON.stringify({ model: 'village', messages, stream: true, max_tokens: 40 })
  const started = performance.now()
  const response = await fetch(`${url}/v1/chat/completions`, { method: 'POST', headers, body })
  if (!response.ok) throw new Error(`${response.status}: ${await response.text()}`)
  let firstMs = 0
  let deltas = 0
  const decoder = new TextDecoder()
  for await (const bytes of response.body!) {
    const text = decoder.decode(bytes as Uint8Array, { stream: true })
    const found = text.match(/"content":"[^"]/g)?.length ?? 0
    if (found > 0 && firstMs === 0) firstMs = performance.now() - started
    deltas += found
  }
  return { firstMs, perSecond: (1000 * deltas) / (performance.now() - started - firstMs) }
}

async function measure(count: number) {
  const results = []
  for (let i = 0; i < count; i += 1) {
    await sleep(100 + 700 * random.next())
    results.push(await chat())
  }
  return results
}

interface JobView {
  readonly id: string
  readonly status: string
  readonly progress: { readonly done: number } | null
}

const ask = async (path: string, body?: object): Promise<unknown> =>
  (await fetch(url + path, { ...(body && { method: 'POST', headers, body: JSON.stringify(body) }) })).json() // prettier-ignore

async function startTraining(): Promise<JobView> {
  const spec = { stage: 'sft', data: 'rated', base: 'village', name: 'beside', epochs: 1000, overwrite: true } // prettier-ignore
  const created = (await ask('/v1/jobs', { kind: 'train', spec })) as JobView
  for (;;) {
    const job = (await ask(`/v1/jobs/${created.id}`)) as JobView
    if ((job.progress?.done ?? 0) > 0) return job
    if (!['queued', 'running'].includes(job.status)) throw new Error(`training is ${job.status}`)
    await sleep(100)
  }
}

/** Steps that the training did, and ends it. */
async function endTraining({ id, progress }: JobView): Promise<number> {
  const job = (await ask(`/v1/jobs/${id}`)) as JobView
  await ask(`/v1/jobs/${id}/cancel`, {})
  while (((await ask(`/v1/jobs/${id}`)) as JobView).status === 'running') await sleep(100)
  return (job.progress?.done ?? 0) - (progress?.done ?? 0)
}

const home = mkdtempSync(join(tmpdir(), 'steerlm-first-text-'))
await writeDataset({
  name: 'rated',
  home,
  records: generateVillage({ seed: 8, rated: 1000 }).rated,
})
const main = fileURLToPath(new URL('../src/main.ts', import.meta.url))
const server = spawn(process.execPath, [main, 'serve', '--port', values.port, '--home', home], {
  stdio: ['ignore', 'pipe', 'inherit'],
  env: { ...process.env, STEERLM_JOB_SHARE: values.share },
})
await once(createInterface({ input: server.stdout }), 'line')

try {
  await measure(5)
  const chats = Math.ceil(Number(values.chats) / Number(values.rounds))
  const idle: Chat[] = []
  const training: Chat[] = []
  let steps = 0
  let seconds = 0
  for (let round = 0; round < Number(values.rounds); round += 1) {
    idle.push(...(await measure(chats)))
    const job = await startTraining()
    const started = performance.now()
    training.push(...(await measure(chats)))
    seconds += (performance.now() - started) / 1000
    steps += await endTraining(job)
  }
  const describe = (results: readonly Chat[]) => {
    const first = results.map(({ firstMs }) => firstMs).toSorted((a, b) => a - b)
    const rate = results.map(({ perSecond }) => perSecond).toSorted((a, b) => a - b)
    const round = (value: number) => Math.round(value * 10) / 10
    return { chats: results.length, p50: round(percentile(first, 0.5)), p95: round(percentile(first, 0.95)), max: round(first.at(-1)!), deltasPerSecond: round(percentile(rate, 0.5)) } // prettier-ignore
  }
  const [calm, busy] = [describe(idle), describe(training)]
  const ratio = Math.round((100 * busy.p95) / calm.p95) / 100
  const stepsPerSecond = Math.round((100 * steps) / seconds) / 100
  console.log(JSON.stringify({ share: values.share, idle: calm, training: busy, ratioOfP95: ratio, stepsPerSecond })) // prettier-ignore
  process.exitCode = ratio <= 3 ? 0 : 1
} finally {
  server.kill('SIGTERM')
  await once(server, 'exit')
  rmSync(home, { recursive: true, force: true })
}
