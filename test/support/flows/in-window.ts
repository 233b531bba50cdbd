import type { Flow } from './flow.ts'
import { activated, anyAwaitReset, bothWritten, one, partDone, tellsOfJob, two, written } from './words.ts'

const resetItself = `Running: ${written} → Pending: AwaitToActivate → Running: ${activated} → Completed`

/** When the maintenance window opens, the service does it all, resets included: nobody has to act. */
export const atWindowStart: readonly Flow[] = [
  {
    applyTimes: ['AtMaintenanceWindowStart'],
    devices: ['no reset'],
    awaitReset: anyAwaitReset,
    acts: [
      [
        'the update is asked for',
        { task: `New → Running: UpdateInProgress ${one} → Pending: AwaitToUpdate` },
      ],
      ['the window opens', { task: partDone }],
    ],
  },
  {
    applyTimes: ['AtMaintenanceWindowStart'],
    devices: ['reset'],
    awaitReset: anyAwaitReset,
    acts: [
      [
        'the update is asked for',
        { task: `New → Running: UpdateInProgress ${one} → Pending: AwaitToUpdate` },
      ],
      ['the window opens', { task: resetItself }],
    ],
  },
  {
    applyTimes: ['AtMaintenanceWindowStart'],
    devices: ['both'],
    awaitReset: ['job'],
    acts: [
      [
        'the update is asked for',
        {
          task: tellsOfJob(two),
          job: `New → Running: ${two} → Pending`,
          'step 1': 'New → Pending: AwaitToUpdate',
          'step 2': 'New → Pending: AwaitToUpdate',
        },
      ],
      [
        'the window opens',
        {
          job: 'Running: UpdateSuccessful → Pending → Running: UpdateSuccessful → Completed',
          'step 1': resetItself,
          'step 2': partDone,
        },
      ],
    ],
  },
  {
    applyTimes: ['AtMaintenanceWindowStart'],
    devices: ['both'],
    awaitReset: ['pending', 'completed'],
    acts: [
      [
        'the update is asked for',
        {
          task: `New → Running: UpdateInProgress ${two} AwaitToUpdate → Pending: AwaitToUpdate`,
          'sub-task 1': 'New → Pending: AwaitToUpdate',
          'sub-task 2': 'New → Pending: AwaitToUpdate',
        },
      ],
      [
        'the window opens',
        {
          task: `Running: ${bothWritten} ${activated} → Pending: AwaitToActivate → Running: ${activated} → Completed`,
          'sub-task 1': resetItself,
          'sub-task 2': partDone,
        },
      ],
    ],
  },
]

/** A reset opens the way, but only one that comes while the window is open; the first wait is for that. */
export const inWindow: readonly Flow[] = [
  {
    applyTimes: ['InMaintenanceWindowOnReset'],
    devices: ['no reset', 'reset'],
    awaitReset: ['job'],
    acts: [
      [
        'the update is asked for',
        {
          task: tellsOfJob(one),
          job: `New → Running: ${one} → Pending`,
          'step 1': 'New → Pending: AwaitToUpdate',
        },
      ],
      ['the window opens', {}],
      ['a reset in the window', { job: 'Running: UpdateSuccessful → Completed', 'step 1': partDone }],
    ],
  },
  {
    applyTimes: ['InMaintenanceWindowOnReset'],
    devices: ['both'],
    awaitReset: ['job'],
    acts: [
      [
        'the update is asked for',
        {
          task: tellsOfJob(two),
          job: `New → Running: ${two} → Pending`,
          'step 1': 'New → Pending: AwaitToUpdate',
          'step 2': 'New → Pending: AwaitToUpdate',
        },
      ],
      ['the window opens', {}],
      [
        'a reset in the window',
        {
          job: 'Running: UpdateSuccessful UpdateSuccessful → Completed',
          'step 1': partDone,
          'step 2': partDone,
        },
      ],
    ],
  },
  {
    applyTimes: ['InMaintenanceWindowOnReset'],
    devices: ['no reset', 'reset'],
    awaitReset: ['pending', 'completed'],
    acts: [
      [
        'the update is asked for',
        { task: `New → Running: UpdateInProgress ${one} → Pending: AwaitToUpdate` },
      ],
      ['the window opens', {}],
      ['a reset in the window', { task: partDone }],
    ],
  },
  {
    applyTimes: ['InMaintenanceWindowOnReset'],
    devices: ['both'],
    awaitReset: ['pending', 'completed'],
    acts: [
      [
        'the update is asked for',
        {
          task: `New → Running: UpdateInProgress ${two} AwaitToUpdate → Pending: AwaitToUpdate`,
          'sub-task 1': 'New → Pending: AwaitToUpdate',
          'sub-task 2': 'New → Pending: AwaitToUpdate',
        },
      ],
      ['the window opens', {}],
      [
        'a reset in the window',
        {
          task: `Running: ${bothWritten} ${activated} ${activated} → Completed`,
          'sub-task 1': partDone,
          'sub-task 2': partDone,
        },
      ],
    ],
  },
]
