import type { Flow } from './flow.ts'
import {
  activated,
  anyAwaitReset,
  bothWritten,
  jobActivated,
  one,
  partInstalled,
  partOfBothActivated,
  stepsOfBoth,
  subTaskDone,
  subTaskEnded,
  subTasksOfBoth,
  taskActivated,
  tellsOfJob,
  two,
  unseen,
  wantsReset,
  written,
} from './words.ts'

/** At once: what is to be activated by a reset waits for that at the end. */
export const immediate: readonly Flow[] = [
  {
    applyTimes: ['Immediate'],
    devices: ['no reset'],
    awaitReset: anyAwaitReset,
    acts: [
      [
        'the update is asked for',
        { task: `New → Running: UpdateInProgress ${one} ${written} ${activated} → Completed` },
      ],
    ],
  },
  {
    applyTimes: ['Immediate'],
    devices: ['reset'],
    awaitReset: ['job'],
    acts: [
      [
        'the update is asked for',
        {
          task: tellsOfJob(one),
          job: `New → Running: ${one} → UserIntervention: ResetRequired`,
          'step 1': partInstalled,
        },
      ],
      ['the reset that was named', jobActivated],
    ],
  },
  {
    applyTimes: ['Immediate'],
    devices: ['both'],
    awaitReset: ['job'],
    acts: [
      [
        'the update is asked for',
        {
          task: tellsOfJob(two),
          job: `New → Running: ${two} UpdateSuccessful → UserIntervention: ResetRequired`,
          ...stepsOfBoth,
        },
      ],
      ['the reset that was named', jobActivated],
    ],
  },
  {
    applyTimes: ['Immediate'],
    devices: ['reset'],
    awaitReset: ['pending'],
    acts: [
      [
        'the update is asked for',
        { task: `New → Running: UpdateInProgress ${one} ${written} → Pending: ${wantsReset}` },
      ],
      ['the reset that was named', taskActivated],
    ],
  },
  {
    applyTimes: ['Immediate'],
    devices: ['both'],
    awaitReset: ['pending'],
    acts: [
      [
        'the update is asked for',
        {
          task: `New → Running: UpdateInProgress ${two} ${bothWritten} ${activated} → Pending: ${wantsReset}`,
          ...subTasksOfBoth,
        },
      ],
      ['the reset that was named', partOfBothActivated],
    ],
  },
  {
    applyTimes: ['Immediate'],
    devices: ['reset'],
    awaitReset: ['completed'],
    acts: [
      [
        'the update is asked for',
        { task: `New → Running: UpdateInProgress ${one} ${written} ${wantsReset} → Completed` },
      ],
      ['the reset that was named', unseen],
    ],
  },
  {
    applyTimes: ['Immediate'],
    devices: ['both'],
    awaitReset: ['completed'],
    acts: [
      [
        'the update is asked for',
        {
          task: `New → Running: UpdateInProgress ${two} ${bothWritten} ${activated} ${wantsReset} → Completed`,
          'sub-task 1': subTaskEnded,
          'sub-task 2': subTaskDone,
        },
      ],
      ['the reset that was named', unseen],
    ],
  },
]
