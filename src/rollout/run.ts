import type { Background } from '../lib/background.ts'
import type { Clock } from '../lib/clock.ts'
import type { Result } from '../lib/result.ts'
import { message } from '../redfish/messages/message.ts'
import { type Changes, LiveRollout } from './live.ts'
import type { Effect } from './moves.ts'
import type { Occupancy } from './occupancy.ts'
import type { Attempt, Failure, FlashKind, Outcome, RolloutRecord, TargetRecord } from './state.ts'
import { type OfOperation, type RolloutEvent, step } from './step.ts'

/** What a roll-out works with. */
export interface RolloutPorts {
  readonly clock: Clock
  readonly background: Background
  /** Keeps what has changed: resolves when it outlives the process. What it rejects with ends the roll-out's run. */
  readonly store: (rollout: string, changes: Changes) => Promise<void>
  readonly flash: FlashPort
  /** What it shares with others; it is to hear a Tick when one of those has ended with a device. */
  readonly occupancy?: Occupancy
}

/** Work on devices, each piece known by the operation that it was given. */
export interface FlashPort {
  /**
   * Begins an update, or a roll-back to what ran before; resolves when that is accepted, with where it can be watched.
   * Before anything is done to the device, the operation must be known to `outcome`, in this life of the process and in
   * the next.
   */
  readonly start: (order: FlashOrder) => Promise<Result<{ readonly task?: string | undefined }, Failure>>
  /** Asks it to end before its time; nothing where it has ended, or does not exist. */
  readonly cancel: (operation: string) => void
  /**
   * Resolves when it has ended; `undefined`, at once, where nothing was ever begun by it. Rejects with the signal's reason
   * when that is aborted: what goes on at the device is not touched by it.
   */
  readonly outcome: (operation: string, signal: AbortSignal) => Promise<Outcome | undefined>
}

export interface FlashOrder {
  readonly rollout: string
  readonly operation: string
  readonly kind: FlashKind
  readonly target: TargetRecord
}

interface Letter {
  readonly event: RolloutEvent
  readonly kept: () => void
  readonly failed: (error: unknown) => void
}

/** A roll-out that goes on: takes events one after the other, keeps what follows of them, and then does it. */
export class RolloutRun {
  readonly live: LiveRollout
  readonly #ports: RolloutPorts
  readonly #letters: Letter[] = []
  #isWorking = false
  #isClosed = false
  #cancelWake = (): void => {}

  constructor(record: RolloutRecord, ports: RolloutPorts) {
    this.live = new LiveRollout(record, ports.occupancy)
    this.#ports = ports
  }

  /** Goes on where the record says, after a restart: what was begun is asked for, and never begun again. */
  takeUp(): Promise<void> {
    return this.send({ kind: 'Restarted' })
  }

  /** Tells it what happened; resolves when what follows of that is kept. Rejects where nothing is taken any more. */
  send(event: RolloutEvent): Promise<void> {
    if (this.#isClosed) return Promise.reject(new Error(`roll-out ${this.live.base.id} goes on no more`))
    return new Promise((kept, failed) => {
      this.#letters.push({ event, kept, failed })
      if (this.#isWorking) return
      this.#isWorking = true
      this.#ports.background.start(() => this.#work(), this)
    })
  }

  /** Nothing more is done; what goes on at devices is the port's. */
  async close(): Promise<void> {
    this.#end(new Error(`roll-out ${this.live.base.id} is closed`))
    await this.#ports.background.stop(this)
  }

  /** What came while the last of it was kept is kept in one go. */
  async #work(): Promise<void> {
    while (this.#letters.length > 0) {
      const letters = this.#letters.splice(0)
      let effects: readonly Effect[]
      try {
        const events = letters.map(({ event }) => event)
        const next = step(this.live, events, this.#ports.clock.now())
        if (hasAny(next.changes)) await this.#ports.store(this.live.base.id, next.changes)
        effects = next.effects
      } catch (error) {
        // Memory is ahead of what is kept: only the record can tell how to go on.
        this.#letters.unshift(...letters)
        this.#end(error)
        throw error
      }
      for (const { kept } of letters) kept()
      for (const effect of effects) this.#do(effect)
    }
    this.#isWorking = false
  }

  #do(effect: Effect): void {
    if (this.#isClosed) return
    const { flash, background } = this.#ports
    switch (effect.kind) {
      case 'StartFlash':
      case 'StartRollBack':
        background.start((signal) => this.#start(effect, signal), this)
        return
      case 'Ask':
        background.start((signal) => this.#ask(effect, signal), this)
        return
      case 'CancelFlash':
        return flash.cancel(effect.operation)
      case 'WakeAt':
        return this.#wakeAt(effect.at)
    }
  }

  async #start({ target: id, operation }: OfOperation, signal: AbortSignal): Promise<void> {
    const attempt = this.#attemptOf(id, operation)
    const target = this.live.targets.get(id)
    if (target === undefined || attempt === undefined) return
    const { kind } = attempt
    const order = { rollout: this.live.base.id, operation, kind, target }
    const started = await this.#ports.flash.start(order)
    if (!started.ok) {
      const outcome = { end: 'Failed', failure: started.problem } as const
      return this.#hear({ kind: 'DeviceEnded', target: id, operation, outcome })
    }
    this.#hear({ kind: 'DeviceStarted', target: id, operation, task: started.value.task })
    // It may have been told so before there was anything to cancel.
    if (this.#attemptOf(id, operation)?.cancel !== undefined) this.#ports.flash.cancel(operation)
    const outcome = (await this.#ports.flash.outcome(operation, signal)) ?? unknownEnd
    this.#hear({ kind: 'DeviceEnded', target: id, operation, outcome })
  }

  async #ask({ target, operation }: OfOperation, signal: AbortSignal): Promise<void> {
    const outcome = await this.#ports.flash.outcome(operation, signal)
    if (outcome === undefined) this.#hear({ kind: 'NeverStarted', target, operation })
    else this.#hear({ kind: 'DeviceEnded', target, operation, outcome })
  }

  #attemptOf(target: string, operation: string): Attempt | undefined {
    const attempt = this.live.targets.get(target)?.attempt
    return attempt?.operation === operation ? attempt : undefined
  }

  #wakeAt(at: number | undefined): void {
    const { clock } = this.#ports
    this.#cancelWake()
    if (at === undefined) return
    this.#cancelWake = clock.schedule(at - clock.now(), () => this.#hear({ kind: 'Tick' }))
  }

  /** As `send`, from within: nobody waits for it. */
  #hear(event: RolloutEvent): void {
    if (!this.#isClosed) this.send(event).catch(() => {}) // who keeps says why, and it is told by the work that failed
  }

  #end(reason: unknown): void {
    this.#isClosed = true
    this.#cancelWake()
    for (const { failed } of this.#letters.splice(0)) failed(reason)
  }
}

function hasAny({ head, waves, targets }: Changes): boolean {
  return head !== undefined || waves.length > 0 || targets.length > 0
}

/** It was begun, and nobody knows of it. */
const unknownEnd: Outcome = {
  end: 'Failed',
  failure: { stage: 'Start', message: message('Base.InternalError') },
}
