import { uris } from '../redfish/uris.ts'
import type { ResetUnderWay } from './reset-under-way.ts'

type Power = 'boot' | 'shutdown' | 'off' | 'pause' | 'resume'
/** A manager is reset in one. */
export type Step = Power | 'reboot'

/** What each ResetType (Resource v1_23) does: steps for a system that runs, and for one that is off. */
const resetTypes: Readonly<
  Record<string, { readonly on: readonly Power[]; readonly off: readonly Power[] }>
> = {
  On: { on: [], off: ['boot'] },
  ForceOn: { on: [], off: ['boot'] },
  ForceOff: { on: ['off'], off: [] },
  GracefulShutdown: { on: ['shutdown', 'off'], off: [] },
  GracefulRestart: { on: ['shutdown', 'boot'], off: ['boot'] },
  ForceRestart: { on: ['boot'], off: ['boot'] },
  PowerCycle: { on: ['off', 'boot'], off: ['boot'] },
  FullPowerCycle: { on: ['off', 'boot'], off: ['boot'] },
  PushPowerButton: { on: ['shutdown', 'off'], off: ['boot'] },
  // Seen by nobody outside; above all it must not end a boot that is under way.
  Nmi: { on: [], off: [] },
  Suspend: { on: ['pause'], off: [] },
  Pause: { on: ['pause'], off: [] },
  Resume: { on: ['resume'], off: [] },
}

/** BootProgress.LastState on the way up, each with the share of the boot time that has passed when it is reached. */
export const bootSteps = [
  [0, 'PrimaryProcessorInitializationStarted'],
  [0.1, 'MemoryInitializationStarted'],
  [0.3, 'PCIResourceConfigStarted'],
  [0.5, 'SystemHardwareInitializationComplete'],
  [0.6, 'OSBootStarted'],
  [1, 'OSRunning'],
] as const

/** The way up ends in the setup menu where the boot override leads there. */
export const setupSteps = [...bootSteps.slice(0, -2), [0.6, 'SetupEntered']] as const

export function isSystem(uri: string): boolean {
  return uri.startsWith(`${uris.systems}/`)
}

/** What is left of it to do. */
export function stepsOf(uri: string, { type, wasOff, isDown = false, boot }: ResetUnderWay): readonly Step[] {
  if (!isSystem(uri)) return ['reboot']
  const steps = resetTypes[type]?.[wasOff ? 'off' : 'on'] ?? []
  if (boot !== undefined) return steps.slice(steps.indexOf('boot'))
  return isDown ? steps.slice(steps.indexOf('off') + 1) : steps
}
