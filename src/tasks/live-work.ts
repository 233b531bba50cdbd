import { commit } from '../bmc/commit.ts'
import type { Cause, Change } from '../bmc/state.ts'
import { unlessAborted } from '../lib/abort.ts'
import { type Message, message } from '../redfish/messages/message.ts'
import type { Setting } from './kind.ts'
import { firstMoment, type Moment, phaseAt } from './moment.ts'
import { type Doing, PartsTally } from './parts-tally.ts'
import type { Phase } from './phase.ts'
import type { WorkRecord } from './progress.ts'
import type { Ending, PartWork, Waiting, WorkHandle, WorkProgress } from './work.ts'

const completed: Ending = { state: 'Completed', status: 200 }
const cancelled: Ending = { state: 'Cancelled', status: 200 }
const nothing = { entries: new Map<string, never>(), also: {} }

/**
 * Work that goes on, and the records that it shows itself in: a task's or a job's, or those of a part of it. Where the
 * records have come further than to their beginning, it is work of an earlier run of the service that goes on.
 */
export class LiveWork<R extends WorkRecord> implements WorkHandle {
  readonly key: string
  readonly uri: string
  readonly cause: Cause
  readonly #setting: Setting<R>
  readonly #whole: LiveWork<R> | undefined
  readonly #parts: LiveWork<R>[] = []
  readonly #tally = new PartsTally()
  /** What the tally of the whole has of it. */
  #told: { readonly percent: number; readonly doing: Doing | undefined } = { percent: 0, doing: undefined }
  readonly #abort = new AbortController()
  readonly #late = new AbortController()
  #signal: AbortSignal
  #moment: Moment
  #isCancellable = false
  #isTimedOut = false
  #hasBegun: boolean
  #hasEnded: boolean
  /** The percent where the parts begin. */
  #base: number | undefined
  #suspension: PromiseWithResolvers<void> | undefined

  constructor(key: string, setting: Setting<R>, whole?: LiveWork<R>) {
    this.key = key
    this.#setting = setting
    this.#whole = whole
    this.uri = setting.kind.uri(key)
    this.cause = { ...setting.cause, related: [...(whole === undefined ? [] : [whole.uri]), this.uri] }
    this.#signal = AbortSignal.any([whole?.signal ?? setting.closing, this.#abort.signal])
    const record = setting.kind.recordsOf(setting.bmc).get(key)
    const { kind } = setting
    this.#hasBegun =
      record !== undefined && record.state !== 'New' && !kind.beginsAgain(record, kind.phaseOf(record))
    this.#moment = firstMoment(this.#hasBegun)
    // A record that gave way is seen no more; and where that of the whole ended, its parts ended with it and go on.
    this.#hasEnded =
      whole === undefined
        ? record === undefined || record.endTime !== undefined
        : whole.#isShown && record?.endTime !== undefined
    if (whole !== undefined) {
      whole.#parts.push(this)
      whole.#tally.add()
      this.#count(record?.percent)
    }
    if (record !== undefined && kind.isCancelling(record)) this.#stop(new Error('cancelled'))
  }

  get signal(): AbortSignal {
    return this.#signal
  }

  get lasting(): AbortSignal {
    return AbortSignal.any([this.#whole?.lasting ?? this.#setting.closing, this.#late.signal])
  }

  persist(): void {
    this.#signal = this.lasting
  }

  /** Runs to the end of the work; rejects only when the service closes. */
  async run(work: (handle: WorkHandle) => Promise<Ending>): Promise<Ending> {
    const ending = await this.#perform(work)
    this.#end(this.#isTimedOut ? { state: 'Exception', status: 500 } : ending)
    return ending
  }

  report(progress: WorkProgress, also: Change = {}): void {
    this.#now({ isResumed: false })
    this.#begin()
    this.#tell(progress, also)
  }

  allowCancel(allowed: boolean): void {
    this.#isCancellable = allowed
  }

  get isSuspended(): boolean {
    return this.#root.#suspension !== undefined
  }

  async checkpoint(): Promise<void> {
    const suspension = this.#root.#suspension
    if (suspension === undefined) return
    this.#now({ isResumed: false, isHeld: true })
    this.#tell()
    try {
      await unlessAborted(suspension.promise, this.signal)
    } finally {
      this.#now({ isHeld: false })
      if (!this.signal.aborted) this.#tell()
    }
  }

  async queue<T>(turn: Promise<T>): Promise<T> {
    this.#now({ isResumed: false, isQueued: true })
    this.#tell()
    try {
      return await turn
    } finally {
      this.#now({ isQueued: false })
      if (!this.signal.aborted) this.#tell()
    }
  }

  async wait<T>(waiting: Waiting, opened: Promise<T>): Promise<T> {
    const isTold = this.#moment.isResumed && this.#shows(waiting.for)
    this.#now({ waiting, isResumed: false })
    if (this.#isShown && this.#setting.kind.beginsAgain(this.#record, waiting.for)) this.#hasBegun = false
    if (isTold) this.#tell()
    else this.#tell({ messages: waiting.messages }, waiting.also)
    try {
      return await unlessAborted(opened, this.signal)
    } finally {
      this.#now({ waiting: undefined, goesOn: false })
      if (!this.signal.aborted) this.report({})
    }
  }

  async part(work: PartWork): Promise<Ending> {
    // A part has no parts of its own.
    if (this.#whole !== undefined) return this.#whole.part(work)
    this.#begin()
    const part = new LiveWork(`${this.key}/${this.#parts.length + 1}`, this.#setting, this)
    const isKnown = this.#setting.kind.recordsOf(this.#setting.bmc).has(part.key)
    if (this.#isShown && !isKnown) part.#create(work)
    // A turn later: parts that are started together know of each other before any of them waits.
    await Promise.resolve()
    return part.#hasEnded ? this.#setting.kind.endingOf(part.#record) : part.run(work.run)
  }

  /** The part with this Id of its own. */
  find(id: string): LiveWork<R> | undefined {
    return this.#parts[Number(id) - 1]
  }

  /** Asks it and its parts to end; false where a stage does not allow it. */
  cancel(): boolean {
    if (![this, ...this.#living].every((one) => one.#isCancellable)) return false
    this.#stop(new Error('cancelled'))
    return true
  }

  /** Ends it because its time is over; the time until it begins does not count. */
  timeOut(): void {
    if (!this.#hasBegun) return
    this.report({ messages: [message('Base.OperationTimeout')] })
    this.#isTimedOut = true
    const reason = new Error('timed out')
    this.#late.abort(reason)
    this.#stop(reason)
  }

  /** From the next checkpoint on it is held, and so are its parts. */
  suspend(): void {
    this.#suspension ??= Promise.withResolvers()
  }

  /** Whether it was suspended. */
  resume(): boolean {
    const suspension = this.#suspension
    this.#suspension = undefined
    suspension?.resolve()
    return suspension !== undefined
  }

  /** Opens the way of everything in it that waits and may go on by word; false where nothing does. */
  goOn(): boolean {
    const opened = [this, ...this.#living].filter((one) => one.#moment.waiting?.goOn !== undefined)
    for (const one of opened) {
      one.#now({ goesOn: one.#moment.waiting?.for === 'user' })
      one.#tell()
    }
    for (const one of opened) one.#moment.waiting?.goOn?.()
    return opened.length > 0
  }

  async #perform(work: (handle: WorkHandle) => Promise<Ending>): Promise<Ending> {
    try {
      this.#isCancellable = true
      const done = work(this)
      // What waits before anything else has not begun.
      if (this.#moment.waiting === undefined) this.#begin()
      return await done
    } catch (error) {
      if (this.#setting.closing.aborted) throw error
      // Who rejects with nothing was not told to end.
      if (this.signal.aborted && error === this.signal.reason) return cancelled
      this.#setting.failed(error)
      this.#tell({ messages: [message('Base.InternalError')] })
      return { state: 'Exception', status: 500 }
    }
  }

  get #root(): LiveWork<R> {
    return this.#whole ?? this
  }

  /** Whether a record of it can still be written: an ended one is not. */
  get #isShown(): boolean {
    return !this.#root.#hasEnded
  }

  /** Whether its record says already that it waits for this; one that is seen no more waited before. */
  #shows(waitsFor: Waiting['for']): boolean {
    return !this.#isShown || this.#setting.kind.progressed(this.#record, waitsFor, {}) === this.#record
  }

  get #record(): R {
    const { bmc, kind } = this.#setting
    const record = kind.recordsOf(bmc).get(this.key)
    if (record === undefined) throw new Error(`${this.uri} tells of work but does not exist`)
    return record
  }

  get #living(): LiveWork<R>[] {
    return this.#parts.filter((part) => !part.#hasEnded)
  }

  get #phase(): Phase {
    const isTold = this.#moment.isResumed && this.#isShown
    return phaseAt(this.#moment, this.#tally.phase, () =>
      isTold ? this.#setting.kind.phaseOf(this.#record) : undefined,
    )
  }

  /** Whether nothing goes on any more without somebody else. */
  get #isAtRest(): boolean {
    const { waiting, isCancelled } = this.#moment
    return this.#tally.isAtRest ?? (waiting !== undefined && !isCancelled)
  }

  #now(change: Partial<Moment>): void {
    this.#moment = { ...this.#moment, ...change }
    this.#count()
  }

  /** Lets the whole know what this part does, and how far it is. */
  #count(percent = this.#told.percent): void {
    if (this.#whole === undefined) return
    const doing = this.#hasEnded ? undefined : { phase: this.#phase, isAtRest: this.#isAtRest }
    this.#whole.#tally.move(this.#told.doing, doing)
    this.#whole.#tally.advance(this.#told.percent, percent)
    this.#told = { percent, doing }
  }

  #create(work: PartWork): void {
    const { kind, clock } = this.#setting
    const whole = this.#root
    const record = whole.#record
    whole.#base ??= record.percent
    const number = whole.#parts.length
    const part = kind.part(record, work, { number, percent: whole.#base, now: clock.now() })
    const led = { ...kind.led(record, whole.#phase, {}, () => []), parts: number }
    this.#count(part.percent)
    this.#commit(
      new Map([
        [whole.key, led],
        [this.key, part],
      ]),
    )
  }

  #begin(): void {
    if (this.#hasBegun || !this.#isShown) return
    this.#hasBegun = true
    const { kind, clock } = this.#setting
    const begun = kind.began(kind.progressed(this.#record, this.#phase, {}), clock.now())
    this.#commit(this.#withWhole(begun), this.#logged(kind.startMessage(begun)))
    if (this === this.#root) this.#setting.onBegin?.()
  }

  #tell(progress: WorkProgress = {}, also: Change = {}): void {
    if (!this.#isShown) return this.#commit(new Map(), also)
    const { kind } = this.#setting
    this.#write(this.#withWhole(kind.progressed(this.#record, this.#phase, progress), progress), also)
  }

  #stop(reason: Error): void {
    const stopped = [this, ...this.#living]
    for (const one of stopped) one.#now({ isCancelled: true })
    for (const one of this.#isShown ? stopped.toReversed() : []) one.#tell()
    this.#abort.abort(reason)
  }

  #end(ending: Ending): void {
    const isShown = this.#isShown
    if (this.#whole === undefined) return isShown ? this.#endWhole(ending, cancelled) : undefined
    this.#hasEnded = true
    this.#count()
    const { kind, clock } = this.#setting
    if (isShown) this.#write(this.#withWhole(kind.ended(this.#record, [], ending, clock.now())))
  }

  /** Where everything has ended or waits, and nobody shall wait for that, the records end: the work goes on unseen. */
  #write(entries: ReadonlyMap<string, R>, also: Change = {}): void {
    const root = this.#root
    const endsNow = this.#setting.endsAtWait && root.#isAtRest
    if (!endsNow) return this.#commit(entries, also)
    const parts = root.#parts.map((part) => entries.get(part.key) ?? part.#record)
    const isFailed = parts.some(({ state }) => state === 'Exception')
    root.#endWhole(isFailed ? { ...completed, state: 'Exception' } : completed, completed, { entries, also })
  }

  /** The whole ends, and those parts that have not end as `left` says. */
  #endWhole(
    ending: Ending,
    left: Ending,
    { entries, also }: { readonly entries: ReadonlyMap<string, R>; readonly also: Change } = nothing,
  ): void {
    const { kind, clock, onEnd } = this.#setting
    const now = clock.now()
    const parts = this.#parts.map((part) => {
      const record = entries.get(part.key) ?? part.#record
      return [part.key, part.#hasEnded ? record : kind.ended(record, [], left, now)] as const
    })
    const records = parts.map(([, record]) => record)
    const ended = kind.ended(entries.get(this.key) ?? this.#record, records, ending, now)
    this.#hasEnded = true
    const logged = this.#logged(kind.endMessage(ended))
    const auditLog = [...(also.auditLog ?? []), ...(logged.auditLog ?? [])]
    this.#commit(new Map([...parts, [this.key, ended]]), { ...also, ...logged, auditLog })
    onEnd?.()
  }

  /** A new record of this, and the whole's that follows from it. */
  #withWhole(own: R, news: WorkProgress = {}): Map<string, R> {
    const whole = this.#whole
    if (whole === undefined) return new Map([[this.key, own]])
    const { kind } = this.#setting
    this.#count(own.percent)
    const waited = (): readonly Message[] =>
      whole.#living.flatMap((part) => {
        const { waiting } = part.#moment
        return waiting?.for === 'user' ? waiting.messages : []
      })
    const led = kind.led(whole.#record, whole.#phase, { ...news, percent: whole.#tally.percent }, waited)
    return new Map([
      [this.key, own],
      [whole.key, led],
    ])
  }

  #commit(entries: ReadonlyMap<string, R>, also: Change = {}): void {
    const { bmc, kind } = this.#setting
    const records = kind.recordsOf(bmc)
    const changed = [...entries].filter(([key, record]) => records.get(key) !== record)
    if (changed.length > 0) commit(bmc, { ...also, ...kind.change(changed) })
    else if (Object.keys(also).length > 0) commit(bmc, also)
  }

  #logged(said: Message): Change {
    if (this.#whole !== undefined) return {}
    const { bmc, kind, clock, cause, targets } = this.#setting
    return kind.logged(bmc, clock.now(), { ...cause, origin: this.uri, related: targets }, [said])
  }
}
