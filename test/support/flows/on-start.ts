import type { Flow } from './flow.ts'
import {
  activated,
  anyAwaitReset,
  bothWritten,
  jobActivated,
  one,
  partActivated,
  partDone,
  partInstalled,
  stepsOfBoth,
  subTaskDone,
  subTaskEnded,
  subTaskInstalled,
  two,
  unseen,
  waitsForStart,
  wantsReset,
  written,
} from './words.ts'

const common = { applyTimes: ['OnStartUpdateRequest'] } as const
const asksForOne = { task: waitsForStart(one, 'AwaitToUpdate') }
const asksForTwo = { task: waitsForStart(two, 'AwaitToUpdate AwaitToUpdate') }
const toJob = (targets: string): string => `New → Running: ${targets} OperationTransitionedToJob → Completed`

/** The upload's task ends when the image is there; StartUpdate's own does the rest. */
const ownTask: readonly Flow[] = [
  {
    ...common,
    devices: ['no reset'],
    awaitReset: anyAwaitReset,
    acts: [
      ['the update is asked for', asksForOne],
      ['StartUpdate', { 'task 2': `New → Running: ${one} ${written} ${activated} → Completed` }],
    ],
  },
  {
    ...common,
    devices: ['reset'],
    awaitReset: ['job'],
    acts: [
      ['the update is asked for', asksForOne],
      [
        'StartUpdate',
        {
          'task 2': toJob(one),
          job: `New → Running: ${one} → UserIntervention: ResetRequired`,
          'step 1': partInstalled,
        },
      ],
      ['the reset that was named', jobActivated],
    ],
  },
  {
    ...common,
    devices: ['both'],
    awaitReset: ['job'],
    acts: [
      ['the update is asked for', asksForTwo],
      [
        'StartUpdate',
        {
          'task 2': toJob(two),
          job: `New → Running: ${two} UpdateSuccessful → UserIntervention: ResetRequired`,
          ...stepsOfBoth,
        },
      ],
      ['the reset that was named', jobActivated],
    ],
  },
  {
    ...common,
    devices: ['reset'],
    awaitReset: ['pending'],
    acts: [
      ['the update is asked for', asksForOne],
      ['StartUpdate', { 'task 2': `New → Running: ${one} ${written} → Pending: ${wantsReset}` }],
      ['the reset that was named', { 'task 2': partActivated }],
    ],
  },
  {
    ...common,
    devices: ['both'],
    awaitReset: ['pending'],
    acts: [
      ['the update is asked for', asksForTwo],
      [
        'StartUpdate',
        {
          'task 2': `New → Running: ${two} ${bothWritten} ${activated} → Pending: ${wantsReset}`,
          'sub-task 2.1': subTaskInstalled,
          'sub-task 2.2': subTaskDone,
        },
      ],
      ['the reset that was named', { 'task 2': partActivated, 'sub-task 2.1': partActivated }],
    ],
  },
  {
    ...common,
    devices: ['reset'],
    awaitReset: ['completed'],
    acts: [
      ['the update is asked for', asksForOne],
      ['StartUpdate', { 'task 2': `New → Running: ${one} ${written} ${wantsReset} → Completed` }],
      ['the reset that was named', unseen],
    ],
  },
  {
    ...common,
    devices: ['both'],
    awaitReset: ['completed'],
    acts: [
      ['the update is asked for', asksForTwo],
      [
        'StartUpdate',
        {
          'task 2': `New → Running: ${two} ${bothWritten} ${activated} ${wantsReset} → Completed`,
          'sub-task 2.1': subTaskEnded,
          'sub-task 2.2': subTaskDone,
        },
      ],
      ['the reset that was named', unseen],
    ],
  },
]

const waits = `New → Running: UpdateInProgress ${one} → Pending: AwaitToUpdate`
const starts = { 'task 2': 'New → Running', 'sub-task 2.1': 'New → Running' }
const started = { 'task 2': 'New → Running → Completed', 'sub-task 2.1': 'New → Running → Completed' }

/** The upload's task waits and goes on itself; StartUpdate's shows it as its part. */
const waitingTasks: readonly Flow[] = [
  {
    ...common,
    startUpdate: 'waiting-tasks',
    devices: ['no reset'],
    awaitReset: anyAwaitReset,
    acts: [
      ['the update is asked for', { task: waits }],
      ['StartUpdate', { task: partDone, ...started }],
    ],
  },
  {
    ...common,
    startUpdate: 'waiting-tasks',
    devices: ['reset'],
    awaitReset: ['job'],
    acts: [
      ['the update is asked for', { task: waits }],
      [
        'StartUpdate',
        {
          task: 'Running: OperationTransitionedToJob → Completed',
          ...started,
          job: `New → Running: ${one} → UserIntervention: ResetRequired`,
          'step 1': partInstalled,
        },
      ],
      ['the reset that was named', jobActivated],
    ],
  },
  {
    ...common,
    startUpdate: 'waiting-tasks',
    devices: ['reset'],
    awaitReset: ['pending'],
    acts: [
      ['the update is asked for', { task: waits }],
      ['StartUpdate', { task: `Running: ${written} → Pending: ${wantsReset}`, ...starts }],
      [
        'the reset that was named',
        { task: partActivated, 'task 2': 'Completed', 'sub-task 2.1': 'Completed' },
      ],
    ],
  },
  {
    ...common,
    startUpdate: 'waiting-tasks',
    devices: ['reset'],
    awaitReset: ['completed'],
    acts: [
      ['the update is asked for', { task: waits }],
      ['StartUpdate', { task: `Running: ${written} ${wantsReset} → Completed`, ...started }],
      ['the reset that was named', unseen],
    ],
  },
]

export const onStart: readonly Flow[] = [
  ...ownTask.map((flow) => ({ ...flow, startUpdate: 'own-task' as const })),
  ...waitingTasks,
]
