import type { Flow } from './flow.ts'
import { activated, bothWritten, one, partDone, tellsOfJob, two, wantsUpdate } from './words.ts'

/** Before anything is written, a reset is waited for; what it opens is activated under the same one. */
export const onReset: readonly Flow[] = [
  {
    applyTimes: ['OnReset', 'OnTargetReset'],
    devices: ['no reset', 'reset'],
    awaitReset: ['job'],
    acts: [
      [
        'the update is asked for',
        {
          task: tellsOfJob(one),
          job: `New → Running: ${one} → UserIntervention: ResetRequired`,
          'step 1': `New → UserIntervention: ${wantsUpdate}`,
        },
      ],
      ['the reset that was named', { job: 'Running: UpdateSuccessful → Completed', 'step 1': partDone }],
    ],
  },
  {
    applyTimes: ['OnReset', 'OnTargetReset'],
    devices: ['both'],
    awaitReset: ['job'],
    acts: [
      [
        'the update is asked for',
        {
          task: tellsOfJob(two),
          job: `New → Running: ${two} → UserIntervention: ResetRequired`,
          'step 1': `New → UserIntervention: ${wantsUpdate}`,
          'step 2': `New → UserIntervention: ${wantsUpdate}`,
        },
      ],
      [
        'the reset that was named',
        {
          job: 'Running: UpdateSuccessful UpdateSuccessful → Completed',
          'step 1': partDone,
          'step 2': partDone,
        },
      ],
    ],
  },
  {
    applyTimes: ['OnReset', 'OnTargetReset'],
    devices: ['no reset', 'reset'],
    awaitReset: ['pending'],
    acts: [
      [
        'the update is asked for',
        { task: `New → Running: UpdateInProgress ${one} → Pending: ${wantsUpdate}` },
      ],
      ['the reset that was named', { task: partDone }],
    ],
  },
  {
    applyTimes: ['OnReset', 'OnTargetReset'],
    devices: ['both'],
    awaitReset: ['pending'],
    acts: [
      [
        'the update is asked for',
        {
          task: `New → Running: UpdateInProgress ${two} ${wantsUpdate} → Pending: ${wantsUpdate}`,
          'sub-task 1': `New → Pending: ${wantsUpdate}`,
          'sub-task 2': `New → Pending: ${wantsUpdate}`,
        },
      ],
      [
        'the reset that was named',
        {
          task: `Running: ${bothWritten} ${activated} ${activated} → Completed`,
          'sub-task 1': partDone,
          'sub-task 2': partDone,
        },
      ],
    ],
  },
  {
    applyTimes: ['OnReset', 'OnTargetReset'],
    devices: ['no reset', 'reset'],
    awaitReset: ['completed'],
    acts: [
      [
        'the update is asked for',
        { task: `New → Running: UpdateInProgress ${one} → Completed: ${wantsUpdate}` },
      ],
      ['the reset that was named', { log: 'told: UpdateSuccessful' }],
    ],
  },
  {
    applyTimes: ['OnReset', 'OnTargetReset'],
    devices: ['both'],
    awaitReset: ['completed'],
    acts: [
      [
        'the update is asked for',
        {
          task: `New → Running: UpdateInProgress ${two} ${wantsUpdate} → Completed: ${wantsUpdate}`,
          'sub-task 1': `New → Pending: ${wantsUpdate} → Completed`,
          'sub-task 2': `New → Completed: ${wantsUpdate}`,
        },
      ],
      ['the reset that was named', { log: 'told: UpdateSuccessful UpdateSuccessful' }],
    ],
  },
]
