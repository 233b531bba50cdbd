import { Heap } from './heap.ts'
import { Occupancy } from './occupancy.ts'
import { ReadyQueue } from './ready-queue.ts'
import { type Rules, rulesOf } from './rules.ts'
import {
  type Moment,
  type RolloutBase,
  type RolloutHead,
  type RolloutRecord,
  type TargetRecord,
  type WaveRecord,
} from './state.ts'
import { count, newTally, type Tally } from './tally.ts'
import type { Wish } from './wish.ts'
import { type WindowAt, windowAt, type WindowRule, windowsOf } from './windows.ts'

const HISTORY = 32
/** Roll-backs come before updates. */
const BEFORE_ALL = 2 ** 40

/** What is different from what was kept. */
export interface Changes {
  readonly head?: RolloutHead
  readonly waves: readonly WaveRecord[]
  readonly targets: readonly TargetRecord[]
  /** What somebody wanted, and these changes come of. */
  readonly granted?: readonly Wish[]
}

/** The moment at which something is due of a device, or of a group's window. */
export interface Timer {
  readonly at: number
  readonly of: 'attempt' | 'retry' | 'window'
  readonly id: string
}

/** What somebody was in before, as far as it has changed since it was last asked. */
interface Transition {
  readonly of: 'Rollout' | 'Wave' | 'Target'
  readonly id: string
  readonly from: string
  readonly to: string
}

/** A roll-out's record with what is derived of it, kept up to date by its one writer. */
export class LiveRollout {
  readonly base: RolloutBase
  readonly rules: Rules
  readonly all: Tally = newTally()
  readonly queue: ReadyQueue
  readonly timers = new Heap<Timer>((a, b) => a.at - b.at)
  /** Waves that go on. */
  readonly running = new Set<number>()
  /** Counts with every change. */
  revision = 0
  /** Of the step that is being made. */
  now: number
  /** When it asked to be woken. */
  wakeAt: number | undefined
  #head: RolloutHead
  readonly #waves: WaveRecord[] = []
  readonly #tallies: Tally[] = []
  readonly #members: string[][] = []
  readonly #targets = new Map<string, TargetRecord>()
  readonly #windows = new Map<string, { readonly rules: readonly WindowRule[]; at: WindowAt }>()
  /** By what they are, their states before. */
  readonly #before = new Map<string, Transition>()
  #isHeadChanged = false
  readonly #changedWaves = new Set<number>()
  readonly #changedTargets = new Set<string>()
  readonly #granted: Wish[] = []
  #opened = 0
  #places = 0

  constructor({ head, waves, targets, ...base }: RolloutRecord, occupancy = new Occupancy()) {
    this.base = base
    this.now = base.createdAt
    this.rules = rulesOf(base.plan, base.createdAt)
    this.queue = new ReadyQueue(this.rules, occupancy)
    this.#head = head
    for (const wave of waves) this.putWave(wave)
    for (const target of targets) this.putTarget(target)
    this.#forgetChanges()
  }

  get head(): RolloutHead {
    return this.#head
  }

  get waves(): readonly WaveRecord[] {
    return this.#waves
  }

  get targets(): ReadonlyMap<string, TargetRecord> {
    return this.#targets
  }

  /** How many waves have begun: the first ones. */
  get opened(): number {
    return this.#opened
  }

  /** The place of who comes next. */
  get places(): number {
    return this.#places
  }

  tallyOf(wave: number): Tally {
    return (this.#tallies[wave] ??= newTally())
  }

  /** The record as it is now. */
  record(): RolloutRecord {
    return { ...this.base, head: this.#head, waves: [...this.#waves], targets: [...this.#targets.values()] }
  }

  setHead(change: Partial<RolloutHead>): void {
    const before = this.#head
    this.#head = { ...before, ...change }
    this.revision++
    this.#isHeadChanged = true
    if (before.state !== this.#head.state) this.#noteBefore('Rollout', this.base.id, before.state)
  }

  putWave(next: WaveRecord): void {
    const { index, state } = next
    const before = this.#waves[index]
    this.#waves[index] = next
    this.revision++
    this.#changedWaves.add(index)
    if (before !== undefined && before.state !== state) this.#noteBefore('Wave', String(index), before.state)
    if (state === 'Running' || state === 'Completed') this.#opened = Math.max(this.#opened, index + 1)
    if (state !== 'Running') this.running.delete(index)
    else if (!this.running.has(index)) {
      this.running.add(index)
      for (const id of this.#members[index] ?? []) this.#enqueue(this.#targets.get(id))
    }
  }

  putTarget(next: TargetRecord): void {
    const { id, wave, state, attempt, notBefore, order = -1 } = next
    const before = this.#targets.get(id)
    this.#targets.set(id, next)
    this.revision++
    this.#changedTargets.add(id)
    this.#places = Math.max(this.#places, order + 1)
    if (before === undefined && wave !== undefined) (this.#members[wave] ??= []).push(id)
    for (const tally of [this.all, ...(wave === undefined ? [] : [this.tallyOf(wave)])]) {
      if (before !== undefined) count(tally, before, -1)
      count(tally, next, 1)
    }
    if (before?.state !== state) this.#noteBefore('Target', id, before?.state ?? 'Absent')
    if (before !== undefined && isBusy(before) && !isBusy(next)) this.queue.release(next)
    if (isBusy(next) && !(before !== undefined && isBusy(before))) this.queue.occupy(next)
    if (before === undefined || this.rankOf(before) !== this.rankOf(next)) this.#enqueue(next)
    if (attempt?.deadline !== undefined && attempt.deadline !== before?.attempt?.deadline)
      this.timers.push({ at: attempt.deadline, of: 'attempt', id })
    if (notBefore !== undefined && notBefore !== before?.notBefore)
      this.timers.push({ at: notBefore, of: 'retry', id })
  }

  /** Where a device stands among those that could begin; `undefined` where it could not. */
  rankOf({ state, wave, order = 0 }: TargetRecord): number | undefined {
    if (state === 'WaitingForRollBack') return order - BEFORE_ALL
    const waits = state === 'Pending' || state === 'WaitingForWindow'
    return waits && wave !== undefined && this.running.has(wave) ? order : undefined
  }

  /** Whether devices of a group may be written now. */
  windowOf(group = ''): WindowAt {
    const known = this.#windows.get(group)
    if (known && (known.at.until ?? Infinity) > this.now) return known.at
    const rules = known?.rules ?? windowsOf(this.rules.windows, group === '' ? undefined : group)
    const at = windowAt(rules, this.now)
    this.#windows.set(group, { rules, at })
    return at
  }

  /** What somebody wanted has changed something. */
  grant(wish: Wish): void {
    this.#granted.push(wish)
  }

  /** What has changed since it was last asked; of changes of their states all keep the history. */
  takeChanges(): Changes {
    const transitions = [...this.#before.values()].flatMap((one) => {
      const to = this.#stateOf(one)
      return to === one.from ? [] : [{ ...one, to }]
    })
    for (const one of transitions) this.#remember(one)
    const changes: Changes = {
      ...(this.#isHeadChanged && { head: this.#head }),
      waves: [...this.#changedWaves].flatMap((index) => this.#waves[index] ?? []),
      targets: [...this.#changedTargets].flatMap((id) => this.#targets.get(id) ?? []),
      ...(this.#granted.length > 0 && { granted: this.#granted.splice(0) }),
    }
    this.#forgetChanges()
    return changes
  }

  #stateOf({ of, id }: Transition): string {
    if (of === 'Rollout') return this.#head.state
    const found = of === 'Wave' ? this.#waves[Number(id)] : this.#targets.get(id)
    return found?.state ?? 'Absent'
  }

  /** A device has a history of what was done at it instead. */
  #remember({ of, id, to: state }: Transition): void {
    const lengthened = (history: readonly Moment[]): Moment[] => [
      ...history.slice(1 - HISTORY),
      { at: this.now, state },
    ]
    const wave = of === 'Wave' ? this.#waves[Number(id)] : undefined
    if (wave) this.#waves[wave.index] = { ...wave, history: lengthened(wave.history) }
    if (of === 'Rollout') this.#head = { ...this.#head, history: lengthened(this.#head.history) }
  }

  #forgetChanges(): void {
    this.#before.clear()
    this.#isHeadChanged = false
    this.#changedWaves.clear()
    this.#changedTargets.clear()
  }

  #noteBefore(of: Transition['of'], id: string, from: string): void {
    const key = `${of} ${id}`
    if (!this.#before.has(key)) this.#before.set(key, { of, id, from, to: from })
  }

  #enqueue(target: TargetRecord | undefined): void {
    const rank = target && this.rankOf(target)
    if (target !== undefined && rank !== undefined) this.queue.push(target, rank)
  }
}

/** Whether it takes one of the places of those that may go on at once. */
function isBusy({ state }: TargetRecord): boolean {
  return state === 'Flashing' || state === 'RollingBack'
}
