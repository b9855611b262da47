/**
 * Whose turn it is: waiting requests, fair across their owners, the urgent ones first, nobody for ever.
 *
 * Owners of equally urgent requests share by tokens served, as in start-time fair queueing (Goyal et al. 1996; for
 * language models Sheng et al. 2024, arXiv 2401.00588): the one that got least comes next, and one that comes back
 * after a pause starts from where the others are, so that it neither owes nor has saved anything.
 *
 * Priorities are small numbers, lower ones first. Waiting raises a request by a level per `ageingMs`, but never above
 * the most urgent one that waits, so among equals ageing changes nothing. For the choice between owners the time
 * counts since the owner's last turn: a flood of urgent requests leaves each of the others a turn now and then, and a
 * flood of others, however old, does not get in front of them.
 */

import { fail } from '../errors.ts'

export interface WaitingQueueOptions {
  /** After so long a request counts as one level more urgent. */
  ageingMs?: number
  now?: () => number
}

/** One level of urgency per two seconds of waiting. */
export const AGEING_MS = 2000

/** Idle owners are forgotten above so many. */
const SWEEP_ABOVE = 1024

interface Owner {
  readonly name: string
  /** Tokens served, on the common clock of all owners. */
  served: number
  /** Requests that were taken and not ended. */
  running: number
  lastTurnMs: number
  /** Waiting requests of each priority, oldest first. */
  readonly waiting: Map<number, Entry[]>
}

interface Entry {
  readonly item: object
  readonly owner: Owner
  readonly priority: number
  readonly arrivedMs: number
  /** Counts up over all requests. */
  readonly order: number
}

/** What a request that was taken is charged to. */
export interface Account {
  /** Counts tokens served. */
  charge(tokens: number): void
  /** The request ended. Further calls do nothing. */
  close(): void
}

export class WaitingQueue<T extends object> {
  readonly #ageingMs: number
  readonly #now: () => number
  readonly #owners = new Map<string, Owner>()
  readonly #entries = new Map<T, Entry>()
  /** What the owner had got whose turn came last: where newcomers start. */
  #clock = 0
  #order = 0

  constructor(options: WaitingQueueOptions = {}) {
    this.#ageingMs = options.ageingMs ?? AGEING_MS
    this.#now = options.now ?? (() => performance.now())
  }

  get size(): number {
    return this.#entries.size
  }

  /** In the order of their coming. */
  items(): T[] {
    return [...this.#entries.keys()]
  }

  add(item: T, request: { owner: string; priority: number }): void {
    const owner = this.#owner(request.owner)
    const { priority } = request
    if (owner.running === 0 && owner.waiting.size === 0) {
      owner.served = Math.max(owner.served, this.#clock)
    }
    const entry = { item, owner, priority, arrivedMs: this.#now(), order: this.#order++ }
    const peers = owner.waiting.get(priority)
    if (peers) peers.push(entry)
    else owner.waiting.set(priority, [entry])
    this.#entries.set(item, entry)
  }

  /** False when it does not wait. */
  remove(item: T): boolean {
    const entry = this.#entries.get(item)
    if (!entry) return false
    this.#drop(entry)
    return true
  }

  /** Whose turn it is, without taking it. */
  peek(): T | null {
    return (this.#next()?.item as T | undefined) ?? null
  }

  /** Takes a waiting request, normally the one that `peek` showed; all that it costs is to be charged to the account. */
  take(item: T): Account {
    const entry = this.#entries.get(item)
    if (!entry) return fail('INTERNAL', 'internal: the request does not wait')
    this.#drop(entry)
    const { owner } = entry
    this.#clock = Math.max(this.#clock, owner.served)
    owner.running += 1
    owner.lastTurnMs = this.#now()
    if (this.#owners.size > SWEEP_ABOVE) this.#sweep()
    return openAccount(owner)
  }

  #owner(name: string): Owner {
    const known = this.#owners.get(name)
    if (known) return known
    const owner = { name, served: 0, running: 0, lastTurnMs: -Infinity, waiting: new Map() }
    this.#owners.set(name, owner)
    return owner
  }

  #drop(entry: Entry): void {
    const { owner, priority, item } = entry
    const peers = owner.waiting.get(priority)!
    peers.splice(peers.indexOf(entry), 1)
    if (peers.length === 0) owner.waiting.delete(priority)
    this.#entries.delete(item as T)
  }

  /** The head of the owner that comes next. */
  #next(): Entry | null {
    if (this.#entries.size === 0) return null
    const nowMs = this.#now()
    const best = this.#mostUrgent()
    const levelOf = (priority: number, sinceMs: number): number =>
      Math.max(best, priority - Math.floor((nowMs - sinceMs) / this.#ageingMs))
    let next: { entry: Entry; level: number } | null = null
    for (const owner of this.#owners.values()) {
      if (owner.waiting.size === 0) continue
      const entry = headOf(owner, levelOf)
      const level = levelOf(entry.priority, Math.max(entry.arrivedMs, owner.lastTurnMs))
      if (!next || comesBefore({ entry, level }, next)) next = { entry, level }
    }
    return next?.entry ?? null
  }

  #mostUrgent(): number {
    let best = Infinity
    for (const { waiting } of this.#owners.values()) {
      for (const priority of waiting.keys()) best = Math.min(best, priority)
    }
    return best
  }

  /** An idle owner that has not got more than where a newcomer starts is as good as a newcomer. */
  #sweep(): void {
    for (const [name, owner] of this.#owners) {
      const isIdle = owner.running === 0 && owner.waiting.size === 0
      if (isIdle && owner.served <= this.#clock) this.#owners.delete(name)
    }
  }
}

/** Which of an owner's requests comes first: the most urgent with its age, then the oldest. */
function headOf(owner: Owner, levelOf: (priority: number, sinceMs: number) => number): Entry {
  let head: { entry: Entry; level: number } | null = null
  for (const [first] of owner.waiting.values()) {
    const entry = first!
    const level = levelOf(entry.priority, entry.arrivedMs)
    const isFirst =
      !head || level < head.level || (level === head.level && entry.order < head.entry.order)
    if (isFirst) head = { entry, level }
  }
  return head!.entry
}

interface Head {
  entry: Entry
  level: number
}

function comesBefore(a: Head, b: Head): boolean {
  if (a.level !== b.level) return a.level < b.level
  const [one, other] = [a.entry.owner, b.entry.owner]
  if (one.served !== other.served) return one.served < other.served
  if (one.running !== other.running) return one.running < other.running
  return a.entry.order < b.entry.order
}

function openAccount(owner: Owner): Account {
  let isOpen = true
  return {
    charge(tokens) {
      owner.served += tokens
    },
    close() {
      if (isOpen) owner.running -= 1
      isOpen = false
    },
  }
}
