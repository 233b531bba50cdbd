import type { Seen } from './flow.ts'

// What is told at each stage (DSP2062 §5), of one device or of two that are written side by side.
export const one = 'TargetDetermined AllTargetsDetermined'
export const two = 'TargetDetermined TargetDetermined AllTargetsDetermined'
export const written = 'TransferringToComponent VerifyingAtComponent InstallingOnComponent'
export const bothWritten = written
  .split(' ')
  .map((key) => `${key} ${key}`)
  .join(' ')
export const activated = 'ApplyingOnComponent UpdateSuccessful'
export const wantsUpdate = 'AwaitToUpdate ResetRequired'
export const wantsReset = 'AwaitToActivate ResetRequired'

// What several flows have in common.
export const tellsOfJob = (targets: string): string =>
  `New → Running: UpdateInProgress ${targets} OperationTransitionedToJob → Completed`
export const waitsForStart = (targets: string, waits: string): string =>
  `New → Running: UpdateInProgress ${targets} → Completed: ${waits}`
export const partInstalled = `New → Running: ${written} → UserIntervention: ${wantsReset}`
export const partDone = `Running: ${written} ${activated} → Completed`
export const partActivated = `Running: ${activated} → Completed`
export const subTaskInstalled = `New → Running: ${written} → Pending: ${wantsReset}`
export const subTaskEnded = `New → Running: ${written} ${wantsReset} → Completed`
export const subTaskDone = `New → ${partDone}`
export const stepsOfBoth: Seen = { 'step 1': partInstalled, 'step 2': `New → ${partDone}` }
export const subTasksOfBoth: Seen = { 'sub-task 1': subTaskInstalled, 'sub-task 2': subTaskDone }
export const jobActivated: Seen = { job: 'Running: UpdateSuccessful → Completed', 'step 1': partActivated }
export const taskActivated: Seen = { task: partActivated }
export const partOfBothActivated: Seen = { ...taskActivated, 'sub-task 1': partActivated }
export const unseen: Seen = { log: `told: ${activated}` }

export const anyAwaitReset = ['job', 'pending', 'completed'] as const
