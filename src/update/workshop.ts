import { type Bmc, type Component, machineMember } from '../bmc/bmc.ts'
import { commit } from '../bmc/commit.ts'
import { logged, noted } from '../bmc/log.ts'
import { resetActionOf } from '../bmc/reset-types.ts'
import type { Change } from '../bmc/state.ts'
import type { ActivationJob, Flasher, Strikes } from '../devices/flasher.ts'
import type { Clock } from '../lib/clock.ts'
import type { Turns } from '../lib/turns.ts'
import { type Message, message } from '../redfish/messages/message.ts'
import { uris } from '../redfish/uris.ts'
import type { Ending, WorkHandle } from '../tasks/work.ts'
import type { Gates } from './apply-time.ts'
import type { Claim } from './claims.ts'
import { memoOf, over, reached } from './record.ts'
import type { ResetsAtOnce } from './resets-at-once.ts'
import { VERIFIED } from './stages/verify-on-manager.ts'

/** What updates work with. */
export interface Workshop {
  readonly clock: Clock
  readonly flasher: Flasher
  readonly gates: Gates
  readonly turns: (bmc: Bmc) => Turns
  readonly resets: (bmc: Bmc) => ResetsAtOnce
}

/** One device's part of an operation: what it is done to, and where that is told. */
export interface DeviceWork {
  readonly bmc: Bmc
  readonly component: Component
  readonly claim: Claim
  readonly work: WorkHandle
  readonly shop: Workshop
  /** PercentComplete when this part begins. */
  readonly from: number
  /** Asks the service to do the reset itself when all that need it are ready; absent where a client has to. */
  readonly resetsItself?: (() => void) | undefined
}

/** A part of an operation, where all that is to be done with it is to tell of it. */
export type Told = Pick<DeviceWork, 'bmc' | 'work' | 'shop'> & {
  readonly component: Pick<Component, 'id' | 'uri'>
}

/** Tells of a device's progress where clients look, and in the machine's log. */
function announce(device: Told, messages: readonly Message[], also: Change): void {
  device.work.report({ messages }, withLog(device, messages, also))
}

/** The same of the end of its part, which is so from then on, whatever becomes of the service. */
export function conclude(device: Told, ending: Ending, messages: readonly Message[], also: Change): Ending {
  announce(device, messages, { ...also, ...reached(device, over(ending)) })
  return ending
}

/** A change about a device, with these messages in the machine's log. */
export function withLog(
  { bmc, component, work, shop }: Told,
  messages: readonly Message[],
  also: Change,
): Change {
  const now = shop.clock.now()
  const { log = [] } = logged(bmc, now, { ...work.cause, origin: component.uri }, messages)
  const { log: more = [] } = noted(bmc, now, also.notices ?? [], work.cause)
  return { ...also, log: [...log, ...more] }
}

/** The percent of this part when a stage that ends at `percent` of the whole update is done. */
export function percentOf({ from }: Pick<DeviceWork, 'from'>, percent: number): number {
  return from + ((percent - VERIFIED) / (100 - VERIFIED)) * (100 - from)
}

/** What every stage on the device is given. */
export function deviceJob(
  device: DeviceWork,
  version: string,
  signal: AbortSignal,
): Omit<ActivationJob, 'progress'> {
  const { bmc, component } = device
  const { speed } = bmc.machine
  const strikes = strikesOf(bmc, component)
  return {
    bmcId: bmc.id,
    component,
    version,
    speed,
    signal,
    strikes,
    memo: memoOf(device),
    hasPower: () => hasPower(bmc, component),
  }
}

function strikesOf(bmc: Bmc, { id }: Component): Strikes {
  const keyOf = (fault: string): string => `${id} ${fault}`
  const of = (fault: string): number => bmc.state.strikes.get(keyOf(fault)) ?? 0
  return { of, add: (fault) => commit(bmc, { strikes: [[keyOf(fault), of(fault) + 1]] }) }
}

/** The reset as a client may POST it: its action's URI and the ResetType. */
export function resetRequired(resource: string, type = 'GracefulRestart'): Message {
  return message('Base.ResetRequired', uris.action(resource, resetActionOf(resource)), type)
}

/** Whether the system that the component depends on is not switched off. */
export function hasPower(bmc: Bmc, { behaviour }: Component): boolean {
  const system = behaviour.needsPowerOf
  return system === undefined || machineMember(bmc, system, 'PowerState') !== 'Off'
}
