/**
 * A language model in this process without weights: the real scheduler and text runtime over logits that are a hash of
 * everything before them, so any mistake in what is kept of a reply changes its text. Tokens are letters.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { Scheduler } from '../../src/engine/scheduler.ts'
import type { EngineRequest } from '../../src/engine/index.ts'
import { formatLabel } from '../../src/labels/label-codec.ts'
import type { ModelRuntime } from '../../src/services/runtime-types.ts'
import { createModelRuntime } from '../../src/services/text-runtime.ts'
import type { Tokenizer } from '../../src/text/tokenizer.ts'
import { FAKE_VOCAB, FakeModelStep } from '../engine/fake-model-step.ts'
import { referenceEvents } from '../engine/reference-generation.ts'
import { fakeParts } from './fake-parts.ts'
import { villageInfo } from './fake-runtime.ts'

const END = FAKE_VOCAB - 1
const letters = 'abcdefghijklmnopqrstuv'

export const letterTokenizer: Tokenizer = {
  encode: (text) => Array.from(text, (letter) => (letter.codePointAt(0)! + 13) % END),
  decode: (ids) => ids.map((id) => letters[id] ?? '').join(''),
  vocabSize: FAKE_VOCAB,
  tokenToId: () => undefined,
  tokenBytes: () => null,
  isSpecial: (id) => id === END,
  eosIds: [END],
}

export interface LetterModelOptions {
  slots?: number
  stepMs?: number
  contextLength?: number
}

export interface LetterModel {
  runtime: ModelRuntime
  step: FakeModelStep
  /** What went to the engine, oldest first. */
  requests: EngineRequest[]
  /** What a reply must be, from the definition: the text after `reply` for these values. */
  expected(wanted: {
    messages: { role: 'user'; content: string }[]
    attributes?: Record<string, number>
    seed: number
    maxTokens: number
    temperature?: number
    reply?: string
  }): string
}

export function letterModel({
  slots = 2,
  stepMs = 1,
  contextLength = 400,
}: LetterModelOptions = {}): LetterModel {
  const step = new FakeModelStep({ slots, contextLength, beforeStep: () => sleep(stepMs) })
  const scheduler = new Scheduler(step, { settle: true })
  const requests: EngineRequest[] = []
  const promptTokens = (messages: readonly { content: string }[], values: Record<string, number>) =>
    letterTokenizer.encode(
      `${messages.map(({ content }) => content).join('|')}${formatLabel(villageInfo.attributes, values)}`,
    )
  const runtime = createModelRuntime({
    ...fakeParts('').parts,
    info: { ...villageInfo, contextLength },
    tokenizer: letterTokenizer,
    template: {
      promptTokens,
      labelTokens: () => [],
      promptText: () => '',
      scoringTokens: () => [],
      stopTokens: [END],
      stopStrings: [],
    },
    engine: {
      generate(request, signal) {
        requests.push(request)
        return scheduler.submit(request, signal)
      },
      dispose: () => scheduler.dispose(),
    },
  })
  const defaults = Object.fromEntries(
    villageInfo.attributes.map((spec) => [spec.name, spec.default]),
  )
  return {
    runtime,
    step,
    requests,
    expected({ messages, attributes = {}, seed, maxTokens, temperature = 1, reply = '' }) {
      const before = Array.from(reply, (letter) => letters.indexOf(letter))
      const request = {
        tokens: [...promptTokens(messages, { ...defaults, ...attributes }), ...before],
        replyTokens: before.length,
        maxTokens: maxTokens - before.length,
        temperature,
        seed,
        logitBias: { [END]: -100 },
        stopTokens: [END],
      }
      const events = referenceEvents(request, contextLength) as { type: string; token: number }[]
      return letterTokenizer.decode(
        events.flatMap((event) => (event.type === 'token' ? [event.token] : [])),
      )
    },
  }
}
