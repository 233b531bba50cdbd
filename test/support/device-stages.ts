import { expect } from 'vitest'
import type { DeviceStageName } from '../../src/bmc/device-faults.ts'
import type { DevicePlans } from '../../src/faults/plan.ts'
import { uris } from '../../src/redfish/uris.ts'
import type { TestEmulator } from './emulator.ts'
import { bundleOf } from './images.ts'
import { untilInstalled, update } from './updates.ts'

export type Fault = Extract<NonNullable<DevicePlans[string]>['fail'], { readonly at: string }>

export const OLD = '22.41.1000'
export const NEW = '22.42.1'
export const NIC_1 = uris.firmware('NIC-1')
export const nicImage = await bundleOf({ 'NIC-1': NEW })
export const allStages = [...untilInstalled, 'ApplyingOnComponent']

/** Of each stage: what says that it has begun and that it has failed, and what failing comes to. */
export const stages: Readonly<Record<DeviceStageName, StageFacts>> = {
  transfer: { begun: 'TransferringToComponent', failed: 'TransferFailed', answer: 500, percents: [30, 50] },
  verify: { begun: 'VerifyingAtComponent', failed: 'VerificationFailed', answer: 400, percents: [50, 55] },
  install: {
    begun: 'InstallingOnComponent',
    failed: 'ApplyFailed',
    answer: 500,
    percents: [55, 85],
    damages: true,
  },
  activate: {
    begun: 'ApplyingOnComponent',
    failed: 'ActivateFailed',
    answer: 500,
    percents: [85, 100],
    damages: true,
  },
}
interface StageFacts {
  readonly begun: string
  readonly failed: string
  readonly answer: number
  readonly percents: readonly [number, number]
  readonly damages?: boolean
}

/** Another update of the NIC succeeds, and nothing is left of what went wrong before. */
export async function isUpdated(emulator: TestEmulator): Promise<void> {
  const { task } = await update(emulator, nicImage)
  expect(task).toMatchObject({ TaskState: 'Completed', TaskStatus: 'OK', PercentComplete: 100 })
  const Status = { State: 'Enabled', Health: 'OK' }
  expect(await emulator.get(NIC_1)).toMatchObject({ Version: NEW, Status })
}
