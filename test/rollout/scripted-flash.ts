import { unlessAborted } from '../../src/lib/abort.ts'
import type { Clock } from '../../src/lib/clock.ts'
import { fail, succeed } from '../../src/lib/result.ts'
import { message } from '../../src/redfish/messages/message.ts'
import type { FlashOrder, FlashPort } from '../../src/rollout/run.ts'
import type { FlashKind, Outcome } from '../../src/rollout/state.ts'

/** What a device does with an operation. */
export interface Script {
  readonly ms: number
  readonly outcome: Outcome
  /** It is not even accepted. */
  readonly isRefused?: boolean
  /** It does not end when it is told to. */
  readonly isStubborn?: boolean
}

interface Operation {
  readonly target: string
  readonly kind: FlashKind
  readonly ended: Promise<Outcome>
  readonly cancel: () => void
  outcome: Outcome | undefined
}

export const succeeds: Outcome = { end: 'Succeeded', bytes: 1_000 }
export const fails: Outcome = {
  end: 'Failed',
  failure: { stage: 'Transfer', message: message('Update.TransferFailed', 'bios.bin', '/d') },
}

/**
 * Devices, and the engine that writes them: they live on when the driver of a roll-out dies. Keeps account of what was
 * done, and throws where anything is done twice.
 */
export class ScriptedFlash {
  readonly operations = new Map<string, Operation>()
  /** In the order in which they began. */
  readonly log: { readonly target: string; readonly kind: FlashKind; readonly at: number }[] = []
  readonly #ofTarget = new Map<string, Operation[]>()
  readonly #clock: Clock
  readonly #script: (order: FlashOrder, nth: number) => Script
  readonly #began: (order: FlashOrder) => void

  constructor(
    clock: Clock,
    script: (order: FlashOrder, nth: number) => Script,
    began: (order: FlashOrder) => void = () => {},
  ) {
    this.#clock = clock
    this.#script = script
    this.#began = began
  }

  /** What goes on, by the device. */
  running(): string[] {
    return [...this.operations.values()].flatMap(({ outcome, target }) => (outcome ? [] : [target]))
  }

  /** What was done at a device. */
  of(target: string): readonly Operation[] {
    return this.#ofTarget.get(target) ?? []
  }

  readonly port: FlashPort = {
    start: (order) => Promise.resolve(this.#start(order)),
    cancel: (operation) => this.operations.get(operation)?.cancel(),
    outcome: (operation, signal) => {
      const one = this.operations.get(operation)
      return one === undefined ? Promise.resolve(undefined) : unlessAborted(one.ended, signal)
    },
  }

  #start(order: FlashOrder): ReturnType<FlashPort['start']> extends Promise<infer R> ? R : never {
    const { target, operation, kind } = order
    const before = this.of(target.id)
    const script = this.#script(order, before.length)
    if (script.isRefused === true) return fail({ stage: 'Start' })
    if (this.operations.has(operation)) throw new Error(`${operation} is begun twice`)
    if (before.some(({ outcome }) => outcome === undefined))
      throw new Error(`${target.id} is written by two at once`)
    const { promise: ended, resolve } = Promise.withResolvers<Outcome>()
    const end = (outcome: Outcome): void => {
      one.outcome ??= outcome
      resolve(one.outcome)
    }
    const cancelTimer = this.#clock.schedule(script.ms, () => end(script.outcome))
    const cancel = (): void => {
      if (script.isStubborn === true) return
      cancelTimer()
      end({ end: 'Cancelled' })
    }
    const one: Operation = { target: target.id, kind, ended, cancel, outcome: undefined }
    this.operations.set(operation, one)
    this.#ofTarget.set(target.id, [...before, one])
    this.log.push({ target: target.id, kind, at: this.#clock.now() })
    this.#began(order)
    return succeed({ task: `/redfish/v1/TaskService/Tasks/${this.log.length}` })
  }
}
