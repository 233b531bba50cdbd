import { Background } from '../../src/lib/background.ts'
import { VirtualClock } from '../../src/lib/clock.ts'
import { type Changes, LiveRollout } from '../../src/rollout/live.ts'
import type { RolloutPlan } from '../../src/rollout/plan.ts'
import { type FlashOrder, RolloutRun } from '../../src/rollout/run.ts'
import { type DeviceFacts, select } from '../../src/rollout/select.ts'
import type { TargetRecord } from '../../src/rollout/state.ts'
import type { RolloutEvent } from '../../src/rollout/step.ts'
import { device, devices, IMAGE, rolloutOf } from './devices.ts'
import type { Action, Shape } from './happenings.ts'
import { Kept } from './kept.ts'
import { ScriptedFlash, succeeds } from './scripted-flash.ts'

const MINUTE_MS = 60_000
const HOUR_MS = 60 * MINUTE_MS
/** Group `a` may be written in the first twenty minutes of every hour. */
const WINDOW_MS = 20 * MINUTE_MS
const TIMEOUT_MS = 30 * MINUTE_MS
const GRACE_MS = MINUTE_MS

const groups = ['a', 'b', undefined]
const sources = ['x', 'y', 'z', undefined]

/** A roll-out with all that is around it, and who watches whether all is right. */
export class WatchedRollout {
  readonly wrongs: unknown[] = []
  readonly #clock = new VirtualClock()
  readonly #kept: Kept
  readonly #plan: RolloutPlan
  readonly #flash: ScriptedFlash
  #run: RolloutRun
  /** How often the present driver may still use a port. */
  #uses = { left: Infinity }
  #added = 0

  constructor({ plan, count, scripts }: Shape) {
    this.#plan = plan
    this.#kept = new Kept(rolloutOf(plan, devices(count, factsOf)))
    const numberOf = (id: string): number => Number(id.slice(2))
    this.#flash = new ScriptedFlash(
      this.#clock,
      ({ target }, nth) =>
        scripts[(numberOf(target.id) * 3 + nth) % scripts.length] ?? { ms: 0, outcome: succeeds },
      (order) => this.#judgeStart(order),
    )
    this.#run = this.#drive()
  }

  async begin(): Promise<void> {
    await this.#tell({ kind: 'Begin' })
  }

  async do(action: Action): Promise<void> {
    switch (action.kind) {
      case 'pass':
        await this.#clock.advance(action.minutes * MINUTE_MS)
        break
      case 'tell':
        await this.#tell(action.event)
        break
      case 'approve':
        await this.#approve()
        break
      case 'add': {
        this.#added++
        const id = `d-${100 + this.#added}`
        const selection = select({
          plan: this.#plan,
          devices: [device(id, factsOf(this.#added))],
          image: IMAGE,
        })
        await this.#tell({ kind: 'Add', selection })
        break
      }
      case 'crash':
        this.#uses.left = action.after
        await this.#clock.advance(20 * MINUTE_MS)
        await this.#restart()
    }
    this.#judge()
  }

  /** Everybody helps it to its end: it must come to one. */
  async finish(): Promise<void> {
    for (let turn = 0; turn < 200 && !this.#isOver(); turn++) {
      await this.#tell({ kind: 'Resume' })
      await this.#approve()
      await this.#clock.advance(HOUR_MS)
      this.#judge()
    }
    if (!this.#isOver()) this.wrongs.push(`it never ends: ${this.#kept.head.state}`)
    // Those that were given up end, too.
    await this.#clock.advance(2 * HOUR_MS)
    this.#judge()
    for (const target of this.#kept.targets.values()) this.#judgeEnd(target)
    await this.#run.close()
  }

  #isOver(): boolean {
    return ['Completed', 'Failed', 'Cancelled', 'RolledBack'].includes(this.#kept.head.state)
  }

  async #tell(event: RolloutEvent): Promise<void> {
    void this.#run.send(event)
    await this.#clock.advance(0)
  }

  async #approve(): Promise<void> {
    const wave = [...this.#kept.waves.values()].find(({ state }) => state === 'WaitingForApproval')
    await this.#tell({ kind: 'Approved', wave: wave?.index ?? 0 })
  }

  /** A driver whose ports are used so often and no more: then it is dead, and does not know it. */
  #drive(): RolloutRun {
    const uses = { left: Infinity }
    this.#uses = uses
    const use = <T>(work: () => Promise<T>): Promise<T> => {
      if (uses.left-- > 0) return work()
      uses.left = 0
      return new Promise(() => {})
    }
    const { port } = this.#flash
    return new RolloutRun(this.#kept.read(), {
      clock: this.#clock,
      background: new Background((error) => void this.wrongs.push(error)),
      store: (_id, changes) =>
        use(() => {
          this.#judgeChanges(changes)
          this.#kept.store(changes)
          return Promise.resolve()
        }),
      flash: {
        start: (order) => use(() => port.start(order)),
        cancel: (operation) => void use(() => Promise.resolve(port.cancel(operation))),
        outcome: (operation, signal) =>
          use(() => port.outcome(operation, signal).then((end) => use(() => Promise.resolve(end)))),
      },
    })
  }

  async #restart(): Promise<void> {
    this.#uses.left = 0
    this.#run = this.#drive()
    void this.#run.takeUp()
    if (this.#kept.head.state === 'New') void this.#run.send({ kind: 'Begin' })
    await this.#clock.advance(0)
  }

  #wrong(what: string, facts: unknown): void {
    this.wrongs.push({ what, facts, head: this.#kept.head })
  }

  /** What is kept when a device begins to be written must allow it. */
  #judgeStart({ operation, kind, target: { id } }: FlashOrder): void {
    const target = this.#kept.targets.get(id)
    if (target?.attempt?.operation !== operation) this.#wrong('begun, and not kept', { id, operation })
    if (kind === 'RollBack' || target === undefined) return
    const { state, pause } = this.#kept.head
    const isUpdating = ['Running', 'WaitingForApproval'].includes(state) && pause === undefined
    if (!isUpdating) this.#wrong('begun while nothing may begin', { id, state })
    if (this.#kept.waves.get(target.wave ?? -1)?.state !== 'Running') this.#wrong('begun before its wave', id)
    const crossed = this.#crossed()
    if (crossed.length > 0) this.#wrong('begun beyond a threshold', crossed)
    if (!this.#isInWindow(target)) this.#wrong('begun outside its window', { id, now: this.#clock.now() })
    const before = this.#flash.of(id)
    const updated = before.findLast((one) => one.outcome?.end === 'Succeeded')
    if (updated?.kind === 'Update') this.#wrong('flashed again', id)
  }

  #isInWindow({ group }: TargetRecord): boolean {
    const isBound = group === 'a' && this.#plan.MaintenanceWindows !== undefined
    return !isBound || this.#clock.now() % HOUR_MS < WINDOW_MS
  }

  /** The thresholds that are crossed in what is kept, and that nobody forgave: by a count of its own. */
  #crossed(): unknown[] {
    const { FailureThreshold: wave = { Percent: 50 }, OverallFailureThreshold: overall } = this.#plan
    const targets = [...this.#kept.targets.values()]
    const isCrossed = (some: readonly TargetRecord[], of: typeof wave, forgiven: number): boolean => {
      const failed = some.filter(isFailure).length - forgiven
      const size = some.filter(({ state }) => state !== 'Skipped').length
      return (
        failed > 0 && (of.Count === undefined ? failed * 100 >= (of.Percent ?? 0) * size : failed >= of.Count)
      )
    }
    const waves = [...this.#kept.waves.values()].filter(
      ({ index, state, forgiven }) =>
        state === 'Running' &&
        isCrossed(
          targets.filter((target) => target.wave === index),
          wave,
          forgiven,
        ),
    )
    const all = overall !== undefined && isCrossed(targets, overall, this.#kept.head.forgiven)
    return [...waves.map(({ index }) => index), ...(all ? ['all'] : [])]
  }

  /** What is about to be kept: the limits hold in it, and waves follow each other. */
  #judgeChanges(changes: Changes): void {
    const next = new Kept(this.#kept.read())
    next.store(changes)
    const busy = [...next.targets.values()].filter(
      ({ state }) => state === 'Flashing' || state === 'RollingBack',
    )
    const { MaxParallel = 10, MaxParallelPerGroup = Infinity, MaxParallelPerSource = Infinity } = this.#plan
    if (busy.length > MaxParallel) this.#wrong('too many at once', busy.length)
    const most = (laneOf: (target: TargetRecord) => string | undefined): number =>
      Math.max(
        0,
        ...[...Map.groupBy(busy, laneOf)].map(([lane, some]) => (lane === undefined ? 0 : some.length)),
      )
    if (most(({ group }) => group) > MaxParallelPerGroup) this.#wrong('too many of a group', busy)
    if (most(({ source }) => source) > MaxParallelPerSource) this.#wrong('too many of a source', busy)
    for (const { index, state, approvedAt } of changes.waves) {
      const begins = state === 'Running' && this.#kept.waves.get(index)?.openedAt === undefined
      const needsApproval = this.#ruleOf(index)?.ApprovalRequired === true
      if (begins && needsApproval && approvedAt === undefined) this.#wrong('begun without approval', index)
      if (begins && !this.#letsGo(next, index - 1)) this.#wrong('begun before its time', index)
    }
  }

  #ruleOf(index: number): NonNullable<RolloutPlan['Waves']>[number] | undefined {
    return this.#plan.Waves?.[Math.min(index, this.#plan.Waves.length - 1)]
  }

  /** Whether a wave lets the next one go; asked only when that begins: it may have been let go before. */
  #letsGo(kept: Kept, index: number): boolean {
    const wave = kept.waves.get(index)
    const { SuccessThreshold: success } = this.#plan
    if (wave === undefined || wave.state === 'Completed') return true
    // A device that failed may be tried again when the next wave had been let go already.
    return success !== undefined || wave.history.some(({ state }) => state === 'Completed')
  }

  /** What must hold whenever everybody has done what they can. */
  #judge(): void {
    if (this.#uses.left === 0) return
    const { live } = this.#run
    const record = JSON.stringify(live.record())
    if (JSON.stringify(this.#kept.read()) !== record) this.#wrong('memory is not what is kept', record)
    const derived = new LiveRollout(this.#kept.read())
    if (JSON.stringify(derived.all) !== JSON.stringify(live.all)) this.#wrong('miscounted', live.all)
    if (derived.queue.running !== live.queue.running) this.#wrong('miscounted places', live.queue.running)
    const idle = this.#idle()
    if (idle.length > 0) this.#wrong('nobody begins it', idle)
    for (const { id, attempt } of live.targets.values()) {
      const isOld = attempt?.deadline !== undefined && attempt.deadline < this.#clock.now()
      if (isOld) this.#wrong('overdue, and nobody minds', { id, attempt })
      if (
        attempt &&
        this.#clock.now() - attempt.startedAt > TIMEOUT_MS + GRACE_MS &&
        attempt.deadline !== undefined
      )
        this.#wrong('neither ended nor given up', { id, attempt })
    }
  }

  /** Those that could begin, and nobody has let them. */
  #idle(): string[] {
    const { live } = this.#run
    const { MaxParallel = 10, MaxParallelPerGroup = Infinity, MaxParallelPerSource = Infinity } = this.#plan
    const targets = [...live.targets.values()]
    const busy = targets.filter(({ state }) => state === 'Flashing' || state === 'RollingBack')
    const isFree = ({ group, source }: TargetRecord): boolean =>
      (group === undefined || busy.filter((one) => one.group === group).length < MaxParallelPerGroup) &&
      (source === undefined || busy.filter((one) => one.source === source).length < MaxParallelPerSource)
    const goesOn = ['Running', 'WaitingForApproval'].includes(live.head.state)
    return targets.flatMap((target) => {
      const { id, state, wave = -1 } = target
      const waits =
        state === 'WaitingForRollBack' ||
        (goesOn &&
          ['Pending', 'WaitingForWindow'].includes(state) &&
          live.waves[wave]?.state === 'Running' &&
          this.#isInWindow(target))
      return waits && busy.length < MaxParallel && isFree(target) ? [id] : []
    })
  }

  /** When all is over: what the record says of a device is what was done there. */
  #judgeEnd({ id, state, attempt }: TargetRecord): void {
    const last = this.#flash.of(id).at(-1)
    if (attempt !== undefined) this.#wrong('still going on', { id, attempt })
    const end = last?.outcome?.end
    const [wasUpdated, wasRolledBack] = (['Update', 'RollBack'] as const).map(
      (kind) => last?.kind === kind && end === 'Succeeded',
    )
    const isRight =
      state === 'RollbackFailed' ||
      (wasUpdated === (state === 'Succeeded') && (wasRolledBack || state !== 'RolledBack'))
    if (!isRight) this.#wrong('told otherwise', { id, state, last: last?.kind, end })
  }
}

function isFailure({ state, failure }: TargetRecord): boolean {
  const isBack = ['WaitingForRollBack', 'RollingBack', 'RolledBack', 'RollbackFailed'].includes(state)
  return state === 'Failed' || state === 'TimedOut' || (isBack && failure !== undefined)
}

function factsOf(index: number): Partial<DeviceFacts> {
  return { group: groups[index % 3], source: sources[index % 4] }
}
