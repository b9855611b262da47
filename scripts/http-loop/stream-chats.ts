/** Chats that stream one after the other, several at once, until told to stop; counts what happened. */
import { setTimeout as sleep } from 'node:timers/promises'
import { percentile } from '../../src/util/statistics.ts'
import type { Api } from './api.ts'

export interface StreamChatsOptions {
  readonly streams: number
  readonly model: string
  readonly signal: AbortSignal
}

export interface StreamTally {
  readonly complete: number
  /** Answers that broke off with a coded error, or were refused with one; codes and how often. */
  readonly coded: Readonly<Record<string, number>>
  /** Everything else that went wrong, such as a connection that broke: at most 20 texts. */
  readonly errors: readonly string[]
  /** Time to the first text, over complete streams. */
  readonly firstTextMs: { readonly p50: number; readonly p95: number } | null
  /** The longest time in which no stream completed. */
  readonly longestGapMs: number
}

const questions = [
  'Where is the old bridge, guard?',
  'Good morning! What is the news?',
  'Can you mend my boots?',
  'What does a loaf of bread cost?',
]

/** Reads one streamed reply; gives the time to its first text. Fails with the error's code as `code`. */
async function readStream(api: Api, model: string, seed: number): Promise<number> {
  const started = performance.now()
  const content = questions[seed % questions.length]!
  const json = { model, stream: true, seed, messages: [{ role: 'user', content }] }
  const response = await api.raw('POST', '/v1/chat/completions', { json })
  if (!response.ok) throw coded((await response.json()) as ErrorBody)
  let firstTextMs: number | undefined
  let rest = ''
  for await (const chunk of response.body!.pipeThrough(new TextDecoderStream())) {
    const frames = `${rest}${chunk}`.split('\n\n')
    rest = frames.pop()!
    for (const frame of frames) {
      if (frame === 'data: [DONE]') return firstTextMs ?? performance.now() - started
      if (!frame.startsWith('data: ')) continue
      const data = JSON.parse(frame.slice('data: '.length)) as Chunk
      if (data.error) throw coded(data as ErrorBody)
      if (firstTextMs === undefined && hasText(data)) firstTextMs = performance.now() - started
    }
  }
  throw new Error('the stream ended without [DONE]')
}

interface ErrorBody {
  readonly error: { readonly code: string; readonly message: string }
}

interface Chunk extends Partial<ErrorBody> {
  readonly choices?: readonly { readonly delta?: { readonly content?: string } }[]
}

const coded = ({ error }: ErrorBody) =>
  Object.assign(new Error(error.message), { code: error.code })

const hasText = (chunk: Chunk): boolean => (chunk.choices?.[0]?.delta?.content ?? '') !== ''

export async function streamChats(api: Api, options: StreamChatsOptions): Promise<StreamTally> {
  const firsts: number[] = []
  const codes: Record<string, number> = {}
  const errors: string[] = []
  let lastDone = performance.now()
  let longestGapMs = 0
  const note = (error: Error & { code?: string }): void => {
    // Node's own network errors have codes in capitals; the API's are in lower case.
    if (error.code !== undefined && /^[a-z_]+$/.test(error.code))
      codes[error.code] = (codes[error.code] ?? 0) + 1
    else if (errors.length < 20) errors.push(error.message)
  }
  const chatter = async (stream: number): Promise<void> => {
    for (let turn = 0; !options.signal.aborted; turn++) {
      try {
        firsts.push(await readStream(api, options.model, stream * 1000 + turn))
        longestGapMs = Math.max(longestGapMs, performance.now() - lastDone)
        lastDone = performance.now()
      } catch (error) {
        note(error as Error)
        await sleep(100)
      }
    }
  }
  await Promise.all(Array.from({ length: options.streams }, (_, stream) => chatter(stream)))
  const round = (share: number) => Math.round(percentile(firsts, share))
  return {
    complete: firsts.length,
    coded: codes,
    errors,
    firstTextMs: firsts.length > 0 ? { p50: round(0.5), p95: round(0.95) } : null,
    longestGapMs: Math.round(longestGapMs),
  }
}
