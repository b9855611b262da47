/**
 * The village corpus: its four parts as lazy streams of records, deterministic by seed.
 * Training parts (rated, unrated) carry no truth; held-out parts share no opening with them.
 */
import type { ConversationRecord, Message } from '../../../schemas/records.ts'
import type { Random } from '../../util/random.ts'
import { createRandom } from '../../util/random.ts'
import { composeReply } from './compose-reply.ts'
import { planConversation } from './conversation.ts'
import type { Plan } from './conversation.ts'
import { drawLevels } from './levels.ts'
import type { Levels } from './levels.ts'
import { createRaters } from './raters.ts'

export interface VillageOptions {
  readonly seed: number
  /** Rated replies (not conversations). */
  readonly rated?: number
  /** Conversations without any rating. */
  readonly unrated?: number
  /** Rated replies with their truth, for the evaluation of an attribute model. */
  readonly heldoutRated?: number
  /** Conversations that end with the player, for the evaluation of steering. */
  readonly heldoutPrompts?: number
}

export interface Village {
  readonly rated: Iterable<ConversationRecord>
  readonly unrated: Iterable<ConversationRecord>
  readonly heldoutRated: Iterable<ConversationRecord>
  readonly heldoutPrompts: Iterable<ConversationRecord>
}

type Annotate = (levels: Levels, random: Random) => Partial<Message>

/** Each stream can be read several times and then gives the same records. */
export function generateVillage(options: VillageOptions): Village {
  const random = createRandom(`village ${options.seed}`)
  const rate = createRaters(random.fork('raters'))
  const rated: Annotate = (levels, draw) => rate(levels, draw)
  const withTruth: Annotate = (levels, draw) => ({ ...rate(levels, draw), truth: { ...levels } })
  const { rated: trainReplies = 6000, unrated: conversations = 60_000 } = options
  const { heldoutRated: testReplies = 2000, heldoutPrompts: prompts = 500 } = options
  return {
    rated: lazily(() => byReplies('rated', trainReplies, rated, false)),
    unrated: lazily(() => byConversations('unrated', conversations)),
    heldoutRated: lazily(() => byReplies('heldout-rated', testReplies, withTruth, true)),
    heldoutPrompts: lazily(() => promptRecords('heldout-prompts', prompts)),
  }

  function* byReplies(part: string, replies: number, annotate: Annotate, heldOut: boolean) {
    for (let index = 0, left = replies; left > 0; index++) {
      const draw = random.fork(part).fork(index)
      const plan = planConversation(draw, heldOut)
      const turns = plan.turns.slice(0, left)
      left -= turns.length
      yield record(part, index, { ...plan, turns }, draw, { annotate, heldOut })
    }
  }

  function* byConversations(part: string, count: number) {
    for (let index = 0; index < count; index++) {
      const draw = random.fork(part).fork(index)
      yield record(part, index, planConversation(draw, false), draw, { annotate: () => ({}) })
    }
  }

  function* promptRecords(part: string, count: number) {
    const seen = new Set<string>()
    for (let index = 0; seen.size < count; index++) {
      const draw = random.fork(part).fork(index)
      const plan = planConversation(draw, true)
      const written = record(part, index, plan, draw, { annotate: () => ({}), heldOut: true })
      const messages = written.messages.slice(0, -1)
      const key = JSON.stringify(messages)
      if (seen.has(key)) continue
      seen.add(key)
      yield { ...written, messages }
    }
  }
}

/** Writes the replies of a plan, each with its own independent levels. */
function record(
  part: string,
  index: number,
  plan: Plan,
  random: Random,
  options: { annotate: Annotate; heldOut?: boolean },
): ConversationRecord {
  const messages: Message[] = []
  if (plan.system !== undefined) messages.push({ role: 'system', content: plan.system })
  for (const turn of plan.turns) {
    const levels = drawLevels(random)
    const content = composeReply(turn.context, levels, random)
    messages.push({ role: 'user', content: turn.player })
    messages.push({ role: 'assistant', content, ...options.annotate(levels, random) })
  }
  const last = plan.turns.at(-1)!
  const meta = {
    role: plan.role,
    topic: last.context.topic.id,
    entity: last.entity,
    ...(last.expected !== undefined && { expected: last.expected }),
  }
  const id = `village-${part}-${String(index).padStart(6, '0')}`
  return options.heldOut ? { id, messages, meta } : { id, messages }
}

function lazily<T>(make: () => Generator<T>): Iterable<T> {
  return { [Symbol.iterator]: make }
}
