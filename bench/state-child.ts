import { createAccount } from '../src/bmc/accounts.ts'
import { type Bmc, createBmc, findComponent } from '../src/bmc/bmc.ts'
import { commit } from '../src/bmc/commit.ts'
import { loadMachine } from '../src/bmc/mockup-folder.ts'
import type { Task } from '../src/bmc/state.ts'
import { message } from '../src/redfish/messages/message.ts'
import { uris } from '../src/redfish/uris.ts'

const BMCS = 20_000
const ALONE = 50

/** Heap per BMC. */
export interface StateBytes {
  readonly fresh: number
  /** After an update of one component, with its task. */
  readonly updated: number
  /** With a machine of its own. */
  readonly alone: number
}

const account = await createAccount('admin', 'redflash')
const accounts = new Map([[account.username, account]])
const machine = loadMachine('rackmount')
const kept: Bmc[] = []

const empty = heapBytes()
for (let n = 0; n < BMCS; n++) kept.push(createBmc(String(n), machine, accounts))
const fresh = (heapBytes() - empty) / BMCS
for (const bmc of kept) update(bmc)
const updated = (heapBytes() - empty) / BMCS
kept.length = 0
const again = heapBytes()
for (let n = 0; n < ALONE; n++) kept.push(createBmc(String(n), loadMachine('rackmount'), accounts))
const alone = (heapBytes() - again) / ALONE
const measured: StateBytes = { fresh, updated, alone }
process.stdout.write(`${JSON.stringify({ ...measured, kept: kept.length })}\n`)

function heapBytes(): number {
  if (globalThis.gc === undefined) throw new Error('needs --expose-gc')
  globalThis.gc()
  const { heapUsed, arrayBuffers } = process.memoryUsage()
  return heapUsed + arrayBuffers
}

/** What an update leaves behind; nothing of it is shared between BMCs. */
function update(bmc: Bmc): void {
  const component = findComponent(bmc, 'NIC-1')
  if (component === undefined) throw new Error('rackmount has no NIC-1')
  const image = `NIC-1 22.42.${bmc.id}`
  const task: Task = {
    id: '1',
    name: 'Firmware update 1',
    description: `Updates firmware from ${image}`,
    state: 'Completed',
    percent: 100,
    messages: [
      message('Update.TargetDetermined', component.uri, image),
      message('Update.TransferringToComponent', image, component.uri),
      message('Update.VerifyingAtComponent', component.uri, image),
      message('Update.InstallingOnComponent', image, component.uri),
      message('Update.UpdateSuccessful', component.uri, image),
    ],
    startTime: 0,
    endTime: Number(bmc.id),
    payload: { targetUri: uris.multipartPush, httpHeaders: [`Host: ${bmc.id}.example`], jsonBody: '{}' },
    finalStatus: 200,
  }
  commit(bmc, {
    components: [['NIC-1', { ...component.now, version: `22.42.${bmc.id}` }]],
    tasks: [[task.id, task]],
  })
}
