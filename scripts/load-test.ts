/**
 * 200 clients at once against a real server: every accepted stream must be complete and equal to what the same request
 * gives alone, the only refusal is a 429 with a whole number of seconds to wait, and the memory of the engine process
 * must be flat. Some clients close their socket in mid-stream. Prints one JSON line; exits 1 when anything is not so.
 *   node scripts/load-test.ts [--clients 200] [--requests 2000] [--port 9250] [--queue-limit 100]
 */
import { spawn, type ChildProcess } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { Agent } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { createRandom } from '../src/util/random.ts'
import { streamChat, type ChatStream } from './load/streaming-client.ts'

const root = fileURLToPath(new URL('..', import.meta.url))
const { values } = parseArgs({
  options: {
    clients: { type: 'string', default: '200' },
    requests: { type: 'string', default: '2000' },
    port: { type: 'string', default: '9250' },
    'queue-limit': { type: 'string', default: '100' },
    'kv-memory': { type: 'string', default: '48MiB' },
    model: { type: 'string', default: 'village' },
  },
})
const [clients, requests] = [Number(values.clients), Number(values.requests)]
const url = `http://127.0.0.1:${values.port}`
const random = createRandom('load test')
const agent = new Agent({ keepAlive: true, maxSockets: clients })

/** One in so many streams is left by its client. */
const leaverEvery = 20

const personas = [
  'You are the baker.',
  'You are the innkeeper of the Grey Goose.',
  'You are a guard.',
]
const questions = [
  'Hello!',
  'What do you think of the weather?',
  'Who lives here?',
  'Tell me a story.',
]

/** Distinct requests; each is made many times. */
const bodies = Array.from({ length: 60 }, (_, i) => ({
  model: values.model,
  messages: [
    { role: 'system', content: personas[i % personas.length] },
    { role: 'user', content: questions[random.int(questions.length)] },
  ],
  attributes: { humor: i % 5, verbosity: (i * 3) % 5 },
  max_tokens: 16 + random.int(24),
  temperature: i % 4 === 0 ? 0 : 0.9,
  seed: i,
  steering: { measure: false },
}))

const counts = { complete: 0, refused: 0, left: 0 }
const problems: string[] = []
const firstTexts: number[] = []
let cachedTokens = 0

async function start(home: string): Promise<ChildProcess> {
  const flags = { home, port: values.port, model: values.model, 'queue-limit': values['queue-limit'], 'kv-memory': values['kv-memory'] } // prettier-ignore
  const args = Object.entries(flags).flatMap(([name, value]) => [`--${name}`, value])
  const env = { ...process.env, STEERLM_JOBS: '0' }
  const child = spawn(process.execPath, [join(root, 'src/main.ts'), 'serve', ...args], { env, stdio: ['ignore', 'ignore', 'inherit'] }) // prettier-ignore
  while (child.exitCode === null) {
    const ready = await fetch(`${url}/ready`).catch(() => null)
    if (ready?.ok) return child
    await sleep(100)
  }
  throw new Error('the server did not start')
}

/** Megabytes resident in the engine process of the language model: the largest of the server's children. */
function engineMegabytes(server: number): number {
  const children = readFileSync(`/proc/${server}/task/${server}/children`, 'utf8').trim().split(' ')
  return Math.max(...children.map(residentMegabytes))
}

function residentMegabytes(pid: string): number {
  const kilobytes = /VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]
  return Math.round(Number(kilobytes) / 1024)
}

/** Again after a refusal, when the server said; until it is accepted. */
async function accepted(body: object): Promise<ChatStream> {
  for (;;) {
    const reply = await streamChat({ url, agent, body })
    if (reply.status !== 429) return reply
    counts.refused += 1
    if (!/^[1-9]\d*$/.test(reply.retryAfter ?? ''))
      problems.push(`Retry-After: ${reply.retryAfter}`)
    await sleep(Number(reply.retryAfter) * 1000 * (0.5 + random.next()))
  }
}

function check(reply: ChatStream, expected: ChatStream): void {
  const { status, text, finishReason, isComplete } = reply
  if (status !== 200 || !isComplete) problems.push(`status ${status}, complete: ${isComplete}`)
  else if (text !== expected.text || finishReason !== expected.finishReason) {
    problems.push(`expected ${JSON.stringify(expected.text)}, got ${JSON.stringify(text)}`)
  }
  counts.complete += 1
  cachedTokens += reply.cachedTokens
  firstTexts.push(reply.firstTextMs)
}

async function run(server: ChildProcess): Promise<object> {
  const expected: ChatStream[] = []
  for (const body of bodies) expected.push(await streamChat({ url, agent, body }))
  const memory: Record<string, number> = { before: engineMegabytes(server.pid!) }
  let next = 0
  const client = async (): Promise<void> => {
    while (next < requests) {
      const number = next++
      const which = number % bodies.length
      if (number % leaverEvery === 7) {
        await streamChat({ url, agent, body: bodies[which]!, leaveAfter: 3 })
        counts.left += 1
      } else {
        check(await accepted(bodies[which]!), expected[which]!)
      }
      const done = counts.complete + counts.left
      if (done % 500 === 0) memory[done] = engineMegabytes(server.pid!)
    }
  }
  const started = performance.now()
  await Promise.all(Array.from({ length: clients }, client))
  const seconds = (performance.now() - started) / 1000
  firstTexts.sort((a, b) => a - b)
  const at = (share: number): number =>
    Math.round(firstTexts[Math.floor(share * firstTexts.length)]!)
  return { clients, requests, seconds, ...counts, cachedTokens, first_text_ms: { p50: at(0.5), p95: at(0.95) }, engine_mb: memory } // prettier-ignore
}

const home = mkdtempSync(join(tmpdir(), 'steerlm-load-'))
const server = await start(home)
try {
  const report = await run(server)
  console.log(JSON.stringify({ ...report, problems: problems.length }))
  for (const problem of problems.slice(0, 5)) console.error(problem)
  process.exitCode = problems.length > 0 ? 1 : 0
} finally {
  agent.destroy()
  server.kill('SIGTERM')
  rmSync(home, { recursive: true, force: true })
}
