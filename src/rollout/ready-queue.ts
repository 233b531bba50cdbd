import { Heap } from './heap.ts'
import { GROUP, type Occupancy, SOURCE } from './occupancy.ts'
import type { Rules } from './rules.ts'
import type { TargetRecord } from './state.ts'

/** A device that could begin. */
export interface Entry {
  readonly id: string
  /** Who has the least is the first. */
  readonly rank: number
  /** What it shares with others, and with them the limit of that: its group and its source. */
  readonly lanes: readonly string[]
}

/** What is shared by devices, and how many of them at once it bears. */
type Limits = Pick<Rules, 'maxParallel' | 'maxOfAll' | 'perGroup' | 'perSource'>

const byRank = (a: Entry, b: Entry): number => a.rank - b.rank

/**
 * Who begins next. Entries that a full lane, or a closed window, keeps from it are put aside, so that nobody looks at
 * them again until that has changed: however many wait, what happens to one costs the same.
 */
export class ReadyQueue {
  readonly #limits: Limits
  readonly #ready = new Heap<Entry>(byRank)
  /** Those that a full lane keeps, by the lane. Of a lane with room nobody is here without another of it being ready. */
  readonly #kept = new Map<string, Heap<Entry>>()
  /** Those that a closed window keeps, by their group. */
  readonly #closed = new Map<string, Entry[]>()
  readonly #occupancy: Occupancy
  #running = 0

  constructor(limits: Limits, occupancy: Occupancy) {
    this.#limits = limits
    this.#occupancy = occupancy
  }

  get hasRoom(): boolean {
    const { maxParallel, maxOfAll } = this.#limits
    return this.#running < maxParallel && this.#occupancy.all < maxOfAll
  }

  get running(): number {
    return this.#running
  }

  push(target: TargetRecord, rank: number): void {
    this.#ready.push({ id: target.id, rank, lanes: this.#lanesOf(target) })
  }

  peek(): Entry | undefined {
    return this.#ready.peek()
  }

  /** The lane of the first that has no room for it. */
  get fullLane(): string | undefined {
    return this.#ready.peek()?.lanes.find((lane) => !this.#hasRoomIn(lane))
  }

  /** Takes the first away. */
  drop(): void {
    const entry = this.#ready.pop()
    if (entry) this.#call(entry.lanes)
  }

  /** Puts the first aside until its lane has room. */
  keep(lane: string): void {
    const entry = this.#ready.pop()
    if (entry === undefined) return
    const others = this.#kept.get(lane) ?? new Heap<Entry>(byRank)
    this.#kept.set(lane, others)
    others.push(entry)
    this.#call(entry.lanes)
  }

  /** Puts the first aside until the window of its group opens; whether it is the first of them. */
  close(group: string): boolean {
    const entry = this.#ready.pop()
    if (entry === undefined) return false
    const others = this.#closed.get(group) ?? []
    this.#closed.set(group, others)
    this.#call(entry.lanes)
    return others.push(entry) === 1
  }

  /** The window of a group may be open. */
  open(group: string): void {
    for (const entry of this.#closed.get(group) ?? []) this.#ready.push(entry)
    this.#closed.delete(group)
  }

  occupy(target: TargetRecord): void {
    this.#running++
    this.#occupancy.count(target, 1)
  }

  release(target: TargetRecord): void {
    this.#running--
    this.#occupancy.count(target, -1)
    this.#call(this.#lanesOf(target))
  }

  /** Others may have left lanes that were full. */
  lookAgain(): void {
    this.#call([...this.#kept.keys()])
  }

  /** One who waits for each of the lanes that have room is ready again. */
  #call(lanes: readonly string[]): void {
    for (const lane of lanes) {
      const next = this.#hasRoomIn(lane) ? this.#kept.get(lane)?.pop() : undefined
      if (next) this.#ready.push(next)
    }
  }

  #hasRoomIn(lane: string): boolean {
    const limit = lane.startsWith(GROUP) ? this.#limits.perGroup : this.#limits.perSource
    return this.#occupancy.of(lane) < limit
  }

  /** Only what has a limit is a lane. */
  #lanesOf({ group, source }: TargetRecord): string[] {
    return [
      ...(group !== undefined && this.#limits.perGroup < Infinity ? [GROUP + group] : []),
      ...(source !== undefined && this.#limits.perSource < Infinity ? [SOURCE + source] : []),
    ]
  }
}
