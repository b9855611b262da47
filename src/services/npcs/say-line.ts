/**
 * One line of a character: events heard in the message, the prompt, the reply with its attributes, interruption, and
 * what is stored in the end. Nothing is stored before the line is over, so a line that fails leaves no trace.
 */
import type { NpcExchange } from '../../../schemas/npcs.ts'
import type { Message } from '../../../schemas/records.ts'
import { SteerError, fail } from '../../errors.ts'
import type { GenerationRequest, Generator } from '../generation-types.ts'
import type { TextUsage } from '../runtime-types.ts'
import {
  actionsAt,
  afterLine,
  applyEvent,
  attributesAt,
  type CharacterState,
} from './character-state.ts'
import { recollect, replyTokens } from './memory.ts'
import { describeState, timeOf, type Life } from './npc-life.ts'
import type { NpcRecord } from './npc-store.ts'
import type { Line, LineStart, SayEvent, SayRequest } from './npc-types.ts'

/** Exchanges that are kept of a character; the prompt never sees more. */
export const maxExchanges = 200

/** A line under way, as `interrupt` sees it. */
export interface RunningLine {
  readonly exchange: number
  /** What was handed out so far. */
  readonly text: string
  /** Stops the line with this as its text; false when it is too late for that. */
  stop(heard: string): boolean
  /** The stored line. Rejects when it fails. */
  readonly finished: Promise<Line>
}

export interface SayParts {
  generator: Generator
  now: () => number
  /** The life under a record's definition. */
  lifeOf(record: NpcRecord): Life
  /** Stores a change of the character as it is now. */
  change(id: string, make: (record: NpcRecord) => NpcRecord): Promise<NpcRecord>
  /** Told when the line can be interrupted, and with null when it no longer can. */
  running(line: RunningLine | null): void
}

interface Plan extends LineStart {
  record: NpcRecord
  life: Life
  request: SayRequest
  time: number
  /** The events that the character knew of when it spoke. */
  seen: readonly string[]
  /** The first exchange that the prompt holds. */
  rememberedFrom: number
}

interface Outcome {
  line: string
  finishReason: Line['finishReason']
  achieved: Record<string, number> | null
  usage: TextUsage | null
}

/** See `Npcs.say`; the caller sees to it that one line is written at a time. */
export async function* sayLine(
  parts: SayParts,
  record: NpcRecord,
  request: SayRequest,
  outer?: AbortSignal,
): AsyncGenerator<SayEvent, void, void> {
  const plan = planLine(parts, record, request)
  const progress = createProgress(plan, parts)
  parts.running(progress)
  const signal = outer ? AbortSignal.any([outer, progress.cut]) : progress.cut
  let failure: unknown
  try {
    yield* writeLine(parts, plan, progress, signal)
  } catch (error) {
    failure = error
    throw error
  } finally {
    // A client that left, or left off reading, has heard what it was sent.
    const hasLeft = failure === undefined || outer?.aborted === true
    const heard = progress.heard ?? (progress.text || undefined)
    if (hasLeft && !progress.isStoring && heard !== undefined) {
      await progress.store(interrupted(heard))
    }
    progress.fail(failure ?? new SteerError('CANCELLED', 'by the client'))
    parts.running(null)
  }
}

async function* writeLine(
  parts: SayParts,
  plan: Plan,
  progress: Progress,
  signal: AbortSignal,
): AsyncGenerator<SayEvent, void, void> {
  let outcome: Outcome | undefined
  try {
    const messages = await remember(plan)
    for await (const event of parts.generator.stream(generation(plan, messages), signal)) {
      if (event.type === 'start') {
        yield { type: 'start', ...startOf(plan) }
      } else if (event.type === 'delta' && event.text !== '') {
        progress.text += event.text
        yield { type: 'delta', text: event.text }
      } else if (event.type === 'finish') {
        const { finishReason, steering, usage } = event
        outcome = { line: progress.text, finishReason, usage, achieved: steering?.achieved ?? null }
      }
    }
  } catch (error) {
    const isCancelled = error instanceof SteerError && error.code === 'CANCELLED'
    if (!isCancelled || progress.heard === undefined) throw error
  }
  if (progress.heard !== undefined) outcome = interrupted(progress.heard)
  if (!outcome) return fail('INTERNAL', 'internal: a line ended without its last event')
  yield { type: 'done', ...(await progress.store(outcome)) }
}

interface Progress extends RunningLine {
  text: string
  /** Set by an interruption. */
  readonly heard: string | undefined
  readonly isStoring: boolean
  /** Aborts when the line is interrupted. */
  readonly cut: AbortSignal
  store(outcome: Outcome): Promise<Line>
  /** Tells who waits for a line that never was stored; without effect otherwise. */
  fail(error: unknown): void
}

function createProgress(plan: Plan, parts: SayParts): Progress {
  const cut = new AbortController()
  const finished = Promise.withResolvers<Line>()
  finished.promise.catch(() => {}) // nobody has to wait for it
  let heard: string | undefined
  let isStoring = false
  return {
    exchange: plan.exchange,
    text: '',
    finished: finished.promise,
    cut: cut.signal,
    get heard() {
      return heard
    },
    get isStoring() {
      return isStoring
    },
    stop(text) {
      if (isStoring) return false
      heard = text
      cut.abort()
      return true
    },
    async store(outcome) {
      isStoring = true
      const line = await storeLine(parts, plan, outcome)
      finished.resolve(line)
      return line
    },
    fail: (error) => finished.reject(error),
  }
}

const interrupted = (line: string): Outcome => ({
  line,
  finishReason: 'interrupted',
  achieved: null,
  usage: null,
})

const startOf = ({ exchange, attributes, events, actions }: LineStart): LineStart => ({
  exchange,
  attributes,
  events,
  actions,
})

function planLine(parts: SayParts, record: NpcRecord, request: SayRequest): Plan {
  const life = parts.lifeOf(record)
  const { character } = life
  const time = timeOf(record, parts.now(), request.time)
  const events = character.detect(request.message)
  const state = hear(life, record.state, events, time)
  return {
    record,
    life,
    request,
    time,
    seen: state.recent,
    rememberedFrom: state.remembered_from,
    exchange: state.exchanges,
    attributes: attributesAt(character, state, time),
    events,
    actions: actionsAt(character, state, time),
  }
}

/** The messages of the prompt; notes in the plan from where on they remember. */
async function remember(plan: Plan): Promise<Message[]> {
  const { record, life, request, attributes } = plan
  const { messages, rememberedFrom } = await recollect({
    definition: record.definition,
    baselines: Object.fromEntries(life.character.attributes.map(({ name, base }) => [name, base])),
    exchanges: record.exchanges,
    rememberedFrom: plan.rememberedFrom,
    message: request.message,
    contextLength: life.model.info.contextLength,
    count: (prompt) => life.model.countTokens({ messages: prompt, attributes }),
  })
  plan.rememberedFrom = rememberedFrom
  return messages
}

/** The state after what the message itself raised. */
function hear(
  life: Life,
  state: CharacterState,
  events: readonly string[],
  time: number,
): CharacterState {
  return events
    .filter((type) => life.character.events.has(type))
    .reduce((before, type) => applyEvent(life.character, before, { type }, time), state)
}

function generation(plan: Plan, messages: Message[]): GenerationRequest {
  const { record, life, request, attributes, exchange } = plan
  const { sampling } = record.definition
  const limit = replyTokens(record.definition, life.model.info.contextLength)
  const fixed =
    sampling?.seed == null ? undefined : (sampling.seed + exchange) % Number.MAX_SAFE_INTEGER
  return {
    model: life.model.info.id,
    prompts: [{ messages, attributes }],
    n: 1,
    measure: request.measure,
    caller: request.caller,
    options: {
      temperature: request.temperature ?? sampling?.temperature ?? undefined,
      topP: sampling?.top_p ?? undefined,
      topK: sampling?.top_k ?? undefined,
      seed: request.seed ?? fixed,
      maxTokens: Math.min(limit, request.maxTokens ?? limit),
    },
  }
}

/** Adds the exchange to the character as it is by now: events may have come in while the line was written. */
async function storeLine(parts: SayParts, plan: Plan, outcome: Outcome): Promise<Line> {
  const { actions, seen, time, attributes, events } = plan
  const record = await parts.change(plan.record.id, (current) => {
    const life = parts.lifeOf(current)
    const heard = hear(life, current.state, events, time)
    const state = afterLine(heard, { actions, seen, time })
    const said: NpcExchange = {
      exchange: heard.exchanges,
      time: state.time,
      message: plan.request.message,
      line: outcome.line.replaceAll('\0', '\uFFFD'), // no database holds a NUL
      attributes,
      events,
      actions,
      interrupted: outcome.finishReason === 'interrupted',
    }
    const rememberedFrom = Math.max(state.remembered_from, plan.rememberedFrom)
    return {
      ...current,
      state: { ...state, remembered_from: rememberedFrom },
      exchanges: [...current.exchanges, said].slice(-maxExchanges),
    }
  })
  const now = timeOf(record, parts.now())
  return {
    ...startOf(plan),
    ...outcome,
    exchange: record.state.exchanges - 1,
    state: describeState(parts.lifeOf(record), record, now),
  }
}
