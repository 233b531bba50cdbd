import type { Bmc, Component } from '../bmc/bmc.ts'
import { isEnough, type PerformedReset } from '../bmc/reset-types.ts'
import type { ResetNeed } from '../bmc/state.ts'
import type { Clock } from '../lib/clock.ts'
import type { ApplyTime } from '../redfish/apply-times.ts'
import { uris } from '../redfish/uris.ts'
import { ofEach } from '../lib/of-each.ts'
import { type Waiter, Waiters } from '../lib/waiters.ts'

/** What opens a gate: the first of these that happens. */
export interface OpenedBy {
  /** Any reset of one of these resources, or of any resource. */
  readonly resetOf?: readonly string[] | typeof ANY
  /** This reset, or a stronger one. */
  readonly reset?: ResetNeed
  /** A reset counts only while the maintenance window is open; when that closes, so does the gate for good. */
  readonly onlyInWindow?: boolean
  readonly windowStart?: boolean
}

const ANY = 'any'

/** How a gate was opened. */
export interface Opening {
  /** The reset that it was. */
  readonly by: PerformedReset | undefined
  /** Aborted when another reset overtakes that one. */
  readonly signal: AbortSignal | undefined
  /** To be called when what waited is through: the resource boots no further before. */
  readonly through: () => void
}

/** A gate that something waits at. */
export interface Gate {
  /** `expired`: it can open no more. Rejects when the signal that it was made with is aborted. */
  readonly opened: Promise<Opening | 'expired'>
  /** Opens it by word of somebody. */
  readonly open: () => void
}

interface Closed {
  readonly openedBy: OpenedBy
  /** Of a console: the device that it is about. */
  readonly on: string | undefined
  /** The resource whose boot waits for what waits here. */
  readonly holds: string | undefined
  cancelTimer: () => void
}

/**
 * The resources whose resets are a component's own, the nearest first; `need` is the reset that makes its new image run.
 * Whatever of a managed device is reset, the device is.
 */
export function resetsOf(
  { machine }: Bmc,
  { behaviour, relatedItems, on }: Component,
  need: ResetNeed | undefined,
): readonly string[] {
  const own = need?.resource ?? behaviour.needsPowerOf
  if (own !== undefined) return [own]
  if (on === undefined) return [machine.manager]
  const parts = [uris.system(on.device), uris.manager(on.device)]
  const nearest = parts.toSorted(
    (one, other) => Number(relatedItems.includes(other)) - Number(relatedItems.includes(one)),
  )
  const offering = nearest.filter((uri) => machine.resources.get(uri)?.['Actions'] !== undefined)
  return offering.length === 0 ? nearest : offering
}

/** What an update of this component waits for before its first byte is written; `undefined`: nothing. */
export function openerOf(
  bmc: Bmc,
  component: Component,
  applyTime: ApplyTime,
  need: ResetNeed | undefined,
): OpenedBy | undefined {
  // What happens to other devices does not concern one of a console.
  const anyReset = component.on === undefined ? ANY : resetsOf(bmc, component, undefined)
  switch (applyTime) {
    case 'Immediate':
    case 'OnStartUpdateRequest':
      // Software of the host comes to it when the host boots (DSP2062 §3).
      return component.behaviour.installer === 'software'
        ? { resetOf: resetsOf(bmc, component, need) }
        : undefined
    case 'OnReset':
      return { resetOf: anyReset }
    case 'OnTargetReset':
      return { resetOf: resetsOf(bmc, component, need) }
    case 'AtMaintenanceWindowStart':
      return { windowStart: true }
    case 'InMaintenanceWindowOnReset':
      return { resetOf: anyReset, onlyInWindow: true }
  }
}

/** Who waits at a gate. */
interface Waiting {
  readonly component: Component
  /** The resource whose boot is to wait for what waits here. */
  readonly holds?: string | undefined
  readonly signal: AbortSignal
}

/** The gates of all BMCs: what waits for a reset or for the maintenance window. */
export class Gates {
  readonly #clock: Clock
  readonly #closed = ofEach<Bmc, Waiters<Closed, Opening | 'expired'>>(() => new Waiters())

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** A gate that opens as told. */
  close(bmc: Bmc, openedBy: OpenedBy, { component, holds, signal }: Waiting): Gate {
    const closed: Closed = { openedBy, on: component.on?.device, holds, cancelTimer: () => {} }
    const waiter = this.#closed(bmc).add(closed, signal, () => closed.cancelTimer())
    if (!signal.aborted) this.#time(bmc, waiter)
    return { opened: waiter.settled, open: () => waiter.settle(byWord) }
  }

  /** A resource is reset: opens what waited for that; resolves when what holds its boot is through. */
  async reset(bmc: Bmc, reset: PerformedReset, signal: AbortSignal): Promise<void> {
    const all = this.#closed(bmc).all()
    const opens = all.filter(({ item }) => this.#opensAt(bmc, item.openedBy, reset))
    await Promise.all(
      opens.map(({ item: { holds }, settle }) => {
        const { promise, resolve } = Promise.withResolvers<void>()
        settle({ by: reset, signal, through: resolve })
        return holds === reset.resource ? promise : Promise.resolve()
      }),
    )
  }

  /** A device of a console is managed no more: what waits for its moment has nothing to wait for, and finds that out. */
  detached(bmc: Bmc, device: string): void {
    for (const { item, settle } of this.#closed(bmc).all()) if (item.on === device) settle(byWord)
  }

  /** The maintenance window was moved: what waits for it waits for the new one. */
  windowChanged(bmc: Bmc): void {
    for (const waiter of this.#closed(bmc).all()) this.#time(bmc, waiter)
  }

  #opensAt(
    bmc: Bmc,
    { resetOf: wanted, reset, onlyInWindow = false }: OpenedBy,
    done: PerformedReset,
  ): boolean {
    const { start, end } = windowOf(bmc)
    const now = this.#clock.now()
    const isOwn = wanted === ANY || wanted?.includes(done.resource) === true
    const isIt = isOwn || (reset !== undefined && isEnough(done, reset))
    return isIt && (!onlyInWindow || (now >= start && now < end))
  }

  /** Opens or expires a gate when the window says so. */
  #time(bmc: Bmc, { item, settle }: Waiter<Closed, Opening | 'expired'>): void {
    const { windowStart = false, onlyInWindow = false } = item.openedBy
    if (!windowStart && !onlyInWindow) return
    item.cancelTimer()
    const { start, end } = windowOf(bmc)
    const now = this.#clock.now()
    const isOver = now >= end
    if (windowStart && !isOver) item.cancelTimer = this.#clock.schedule(start - now, () => settle(byWord))
    else item.cancelTimer = this.#clock.schedule(end - now, () => settle('expired'))
  }
}

const byWord: Opening = { by: undefined, signal: undefined, through: () => {} }

/** When the maintenance window opens and closes, in milliseconds since the epoch. */
function windowOf({ state: { settings } }: Bmc): { readonly start: number; readonly end: number } {
  const start = settings.maintenanceWindowStart
  return { start, end: start + settings.maintenanceWindowS * 1_000 }
}
