/**
 * Plans a conversation: who speaks, what the system message tells, which topics follow each other.
 * The replies are written by `compose-reply.ts`.
 */
import type { Random } from '../../util/random.ts'
import type { ReplyContext } from './compose-reply.ts'
import { expectedAnswer } from './expected-answer.ts'
import { expand } from './phrase.ts'
import type { Slots } from './phrase.ts'
import { followUpMessage, openingMessage } from './player-message.ts'
import { isHeldOutOpening, isHeldOutPair } from './split-rule.ts'
import { openingTopics, topics } from './topics/index.ts'
import type { Topic } from './topics/topic.ts'
import type { Entity } from './world/entity.ts'
import { lowerPrice, priceWords } from './world/items.ts'
import { plainVillager, roles, speakerNames, villageNames, weathers } from './world/roles.ts'
import type { Role } from './world/roles.ts'

/** One exchange: what the player says and what a reply to it must know. */
export interface Turn {
  readonly player: string
  readonly context: ReplyContext
  readonly entity: string
  /** Words that a right answer holds; absent where several answers are right. */
  readonly expected?: string
}

export interface Plan {
  readonly system?: string
  readonly role: string
  readonly turns: readonly Turn[]
}

/** The speaker and the day; the same for all turns. */
interface Scene {
  readonly role: Role
  readonly named: boolean
  readonly slots: Slots
  readonly weather?: string
}

const turnCounts = [1, 1, 1, 1, 1, 2, 2, 2, 3, 3, 4]
const totalWeight = openingTopics.reduce((sum, topic) => sum + (topic.weight ?? 1), 0)

/** A conversation for training (`heldOut` false) or for evaluation (true); the two never share an opening. */
export function planConversation(random: Random, heldOut: boolean): Plan {
  for (;;) {
    const plan = drawPlan(random)
    if (isHeldOutOpening(plan.turns[0]!.player) !== heldOut) continue
    if (!heldOut && plan.turns.some((turn) => isHeldOutPair(plan.role, turn.entity))) continue
    return plan
  }
}

function drawPlan(random: Random): Plan {
  const scene = drawScene(random)
  const topic = drawOpening(scene, random)
  const drawn = drawEntity(topic, scene, random)
  const told = scene.named ? drawFact(topic, drawn, random) : { entity: drawn, slots: {} }
  const day = { ...scene, slots: { ...scene.slots, ...told.slots } }
  const turns = drawTurns(day, topic, told.entity, random)
  const intro = `You are ${scene.slots['speaker']}, the ${scene.role.id} of ${scene.slots['village']}.`
  return {
    role: scene.role.id,
    turns,
    ...(scene.named && { system: 'fact' in told ? `${intro} ${told.fact}` : intro }),
  }
}

function drawScene(random: Random): Scene {
  const named = random.next() < 0.7
  const role = named || random.next() < 0.4 ? random.pick(roles) : plainVillager
  const speaker = random.pick(speakerNames(role))
  const known = role !== plainVillager
  const address = named && random.next() < 0.4 ? speaker : known ? role.id : 'stranger'
  const slots = {
    ...role.slots,
    speaker,
    village: random.pick(villageNames),
    address,
    now: 'the sky is grey',
    wear: 'a thick cloak',
  }
  return { role, named, slots }
}

function drawOpening(scene: Scene, random: Random): Topic {
  for (;;) {
    let left = random.next() * totalWeight
    const topic = openingTopics.find((t) => (left -= t.weight ?? 1) < 0) ?? openingTopics[0]!
    if (topic.subject !== 'name' || scene.named) return topic
  }
}

/** Nobody asks a speaker the way to where the two of them stand. */
function drawEntity(topic: Topic, scene: Scene, random: Random): Entity {
  const home = scene.role.home
  return random.pick(topic.entities.filter((entity) => entity.id !== home))
}

/** A fact for the system message that the replies use: a price, a closed door, the weather. */
function drawFact(
  topic: Topic,
  entity: Entity,
  random: Random,
): { entity: Entity; slots: Slots; fact?: string } {
  const roll = random.next()
  if (topic.subject === 'item' && roll < 0.5) {
    const coin = entity.slots['price']!.split(' ')[1]!
    const amount = 2 + random.int(11)
    const price = priceWords(amount, coin)
    const slots = { ...entity.slots, price, lower: lowerPrice(amount, coin) }
    const fact = expand('{np} cost{s} {price}.', slots, random)
    return { entity: { ...entity, slots }, slots: {}, fact: fact[0]!.toUpperCase() + fact.slice(1) }
  }
  if (topic.subject === 'place' && roll < 0.15) {
    const slots = { ...entity.slots, closed: 'yes' }
    return { entity: { ...entity, slots }, slots: {}, fact: `The ${entity.id} is closed today.` }
  }
  if (roll < (topic.subject === 'weather' ? 0.75 : 0.25)) {
    const weather = random.pick(weathers)
    return { entity, slots: { now: weather.now, wear: weather.wear }, fact: weather.fact }
  }
  return { entity, slots: {} }
}

function drawTurns(scene: Scene, first: Topic, entity: Entity, random: Random): Turn[] {
  const count = random.pick(turnCounts)
  const turns = [makeTurn(scene, first, entity, 'opening', random)]
  const asked = new Set([first.id])
  let current = { topic: first, entity }
  while (turns.length < count) {
    const next = drawNext(current, asked, scene, random)
    asked.add(next.topic.id)
    turns.push(makeTurn(scene, next.topic, next.entity, next.kind, random))
    if (next.topic.id === 'courtesy.bye') break
    if (next.topic.subject !== 'courtesy') current = next
  }
  return turns
}

/** The answer about the hours of a place that the system message calls closed. */
const closedAnswer = {
  facts: [
    '{np} is closed today',
    'it is closed today',
    'today {np} is closed',
    'nobody gets in today, {np} is closed',
  ],
  details: [
    'because the keeper is sick',
    'since this morning',
    'except for the mayor',
    'unless you have a letter',
  ],
  steps: [
    'come back tomorrow.',
    'wait until tomorrow.',
    'I can tell you when it opens.',
    'try again tomorrow at {opens}.',
    'ask for {keeper} tomorrow.',
  ],
}

type TurnKind = 'opening' | 'followUp' | 'change'

function drawNext(
  current: { topic: Topic; entity: Entity },
  asked: ReadonlySet<string>,
  scene: Scene,
  random: Random,
): { topic: Topic; entity: Entity; kind: TurnKind } {
  const roll = random.next()
  const following = topics.filter(
    (topic) =>
      topic.subject === current.topic.subject && !asked.has(topic.id) && topic.followUp.length > 0,
  )
  if (roll < 0.7 && following.length > 0) {
    return { topic: random.pick(following), entity: current.entity, kind: 'followUp' }
  }
  const talk = topics.filter((topic) => topic.subject === 'courtesy' && topic.followUp.length > 0)
  if (roll < 0.88) {
    const topic = random.pick(talk)
    return { topic, entity: topic.entities[0]!, kind: 'followUp' }
  }
  const topic = drawOpening(scene, random)
  return { topic, entity: drawEntity(topic, scene, random), kind: 'change' }
}

function makeTurn(
  scene: Scene,
  topic: Topic,
  entity: Entity,
  kind: TurnKind,
  random: Random,
): Turn {
  const slots = { ...scene.slots, ...entity.slots, image: imageSubject(entity, random) }
  const player =
    kind === 'opening'
      ? openingMessage(topic.ask, slots, random)
      : followUpMessage(kind === 'followUp' ? topic.followUp : topic.ask, slots, random)
  const closed = 'closed' in entity.slots && topic.id === 'place.hours'
  const answered = closed ? { ...topic, ...closedAnswer } : topic
  const expected = closed ? 'closed' : expectedAnswer(topic.id, slots)
  const context = { topic: answered, role: scene.role.id, slots }
  return { player, entity: entity.id, context, ...(expected !== undefined && { expected }) }
}

const dayImages = ['this hour', 'the light', 'the silence', 'the street', 'this village', 'my day']

/** What similes are about: the thing asked about where it is singular, else the day. */
function imageSubject({ slots }: Entity, random: Random): string {
  if (slots['is'] === 'are' || slots['np'] === undefined) return random.pick(dayImages)
  return slots['the'] ?? slots['np']
}
