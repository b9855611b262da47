/** Parts of a runtime without a model: a tokenizer over bytes, a template of plain lines, an engine that repeats. */
import type { EngineEvent, EngineRequest } from '../../src/engine/index.ts'
import { formatLabel } from '../../src/labels/label-codec.ts'
import type { Message } from '../../schemas/records.ts'
import type { RuntimeParts } from '../../src/services/text-runtime.ts'
import type { Tokenizer } from '../../src/text/tokenizer.ts'
import { villageInfo } from './fake-runtime.ts'

/** Ids are bytes; 256 ends a text and is special. */
export const byteTokenizer: Tokenizer = {
  encode: (text) => [...Buffer.from(text)],
  decode: (ids) => Buffer.from(ids.filter((id) => id < 256)).toString(),
  vocabSize: 257,
  tokenToId: (token) => (token === '<end>' ? 256 : undefined),
  isSpecial: (id) => id === 256,
  tokenBytes: () => Array.from({ length: 256 }, (_, byte) => Uint8Array.of(byte)),
  eosIds: [256],
}

const lines = (messages: readonly Message[]): string =>
  messages.map((message) => `${message.role}: ${message.content}\n`).join('')

const promptText = (messages: readonly Message[], values: Record<string, number>): string =>
  `${lines(messages)}${formatLabel(villageInfo.attributes, values)}\n`

export interface FakeEngine {
  requests: EngineRequest[]
  disposed: number
}

/** The engine replies with `reply`, cut to `maxTokens`; the scorer gives row length and its last id. */
export function fakeParts(reply: string): { parts: RuntimeParts; engine: FakeEngine } {
  const engine: FakeEngine = { requests: [], disposed: 0 }
  async function* generate(request: EngineRequest): AsyncGenerator<EngineEvent> {
    engine.requests.push(request)
    const promptTokens = request.tokens.length
    const promptLogprobs = request.tokens.map((token) => ({ token, logprob: -2, top: [] }))
    yield {
      type: 'start',
      promptTokens,
      cachedTokens: 0,
      ...(request.echo && { promptLogprobs }),
    }
    const tokens = byteTokenizer.encode(reply).slice(0, request.maxTokens)
    for (const token of tokens) yield { type: 'token', token }
    const reason = tokens.length < reply.length ? 'length' : 'stop'
    yield { type: 'done', reason, promptTokens, completionTokens: tokens.length, cachedTokens: 0 }
  }
  const dispose = async (): Promise<void> => void engine.disposed++
  return {
    engine,
    parts: {
      info: { ...villageInfo, contextLength: 200 },
      tokenizer: byteTokenizer,
      template: {
        promptTokens: (messages, values) => byteTokenizer.encode(promptText(messages, values)),
        promptText,
        labelTokens: (values) => [
          ...Buffer.from(`${formatLabel(villageInfo.attributes, values)}\n`),
        ],
        scoringTokens: (messages) => byteTokenizer.encode(lines(messages)),
        stopTokens: [256],
        stopStrings: ['\nuser:'],
      },
      engine: { generate, dispose },
      scorer: {
        score: async (rows) =>
          rows.map((row) => Float32Array.from([row.length, row.at(-1)!, 1, 2, 3])),
        dispose,
      },
    },
  }
}
