import { expect } from 'vitest'
import type { JsonObject } from '../../src/redfish/resource.ts'
import { uris } from '../../src/redfish/uris.ts'
import type { TestEmulator } from './emulator.ts'
import { bundleOf } from './images.ts'

/** What NIC-1 runs, what the image brings, and the image. */
export const OLD = '22.41.1000'
export const NEW = '22.42.1'
export const nicImage = await bundleOf({ 'NIC-1': NEW })
export const NIC_1 = uris.firmware('NIC-1')

/** What has to happen before an update goes on that a client asked for. */
type Awaits = 'nothing' | 'a reset' | 'StartUpdate'

/** A multipart push as a client writes it. */
interface ClientPush {
  readonly client: string
  readonly boundary: string
  /** As the Content-Type header has it; the plain boundary unless given. */
  readonly shownBoundary?: string
  /** Header lines and content, in the order that the client sends them. */
  readonly parts: readonly (readonly [headers: readonly string[], content: string])[]
  readonly awaits?: Awaits
}

/** Stands for the bytes of the image. */
const IMAGE = '<image>'

const headOf = (disposition: string, type?: string): readonly string[] => [
  `Content-Disposition: form-data; ${disposition}`,
  ...(type === undefined ? [] : [`Content-Type: ${type}`]),
]
const parameters = (content: string, file?: string): ClientPush['parts'][number] => [
  headOf(`name="UpdateParameters"${file === undefined ? '' : `; filename="${file}"`}`, 'application/json'),
  content,
]
const image = (
  file = 'filename="update.tar"',
  type = 'application/octet-stream',
): ClientPush['parts'][number] => [headOf(`name="UpdateFile"${file === '' ? '' : `; ${file}`}`, type), IMAGE]

// Boundaries as their libraries make them: libcurl, Go's mime/multipart, reqwest, urllib3, Ansible's own.
const CURL = '------------------------8b1c8f5dfe0a6f1b'
const GO = '9f6f2a5d0c7b41e8a3d2c1b0f9e8d7c6b5a49382716050403020100f1e2d'
const REQWEST = '1f0d4c2be5a83796-0a9b8c7d6e5f4031-2233445566778899-ffeeddccbbaa0011'
const URLLIB3 = '3c1f0b7a9e8d4c5f8a6b7c8d9e0f1a2b'
const ANSIBLE = 'q7WvB2kXz9LmT4hRnYc8JdPsF1gUeA'

/** How clients write a push that is for NIC-1: exactly what their sources send. */
export const clientPushes: readonly ClientPush[] = [
  {
    client: 'fwupd',
    boundary: CURL,
    parts: [
      parameters(
        `{\n  "Targets" : [\n    "${NIC_1}"\n  ],\n  "@Redfish.OperationApplyTime" : "Immediate"\n}`,
      ),
      image(''),
    ],
  },
  {
    client: 'fwupd, with wildcard targets',
    boundary: CURL,
    parts: [parameters('{"Targets":[],"@Redfish.OperationApplyTime":"Immediate"}'), image()],
  },
  {
    client: 'bmclib for Dell and OpenBMC',
    boundary: GO,
    parts: [parameters('{"Targets":[],"@Redfish.OperationApplyTime":"OnReset","Oem":{}}'), image()],
    awaits: 'a reset',
  },
  {
    client: 'bmclib for Lenovo',
    boundary: GO,
    parts: [parameters('{"Targets":null,"@Redfish.OperationApplyTime":"Immediate","Oem":null}'), image()],
  },
  {
    client: 'bmclib for Supermicro',
    boundary: GO,
    parts: [
      parameters(
        `{"Targets":["${NIC_1}"],"@Redfish.OperationApplyTime":"OnStartUpdateRequest","Oem":{"Supermicro":{"BMC":{"PreserveCfg":true,"PreserveSdr":true,"PreserveSsl":true,"BackupBMC":true}}}}`,
      ),
      image(),
    ],
    awaits: 'StartUpdate',
  },
  {
    client: 'gofish, whose parts come in any order',
    boundary: GO,
    parts: [image(), parameters('{"Targets":[]}')],
  },
  {
    client: 'libredfish for Dell',
    boundary: REQWEST,
    parts: [parameters('{"Targets":[],"@Redfish.OperationApplyTime":"Immediate","Oem":{}}'), image()],
  },
  {
    client: 'libredfish for NVIDIA',
    boundary: REQWEST,
    parts: [parameters(`{"Targets":["${uris.chassis}/1"],"ForceUpdate":true}`), image()],
  },
  { client: 'libredfish for DPUs', boundary: REQWEST, parts: [parameters('{}'), image()] },
  {
    client: 'nv-redfish, with a part of its own',
    boundary: REQWEST,
    parts: [parameters(`{"Targets":["${NIC_1}"]}`), image(), [headOf('name="OemNvidia"'), '{"Mode":"Rms"}']],
  },
  {
    client: 'Lenovo’s script',
    boundary: URLLIB3,
    parts: [parameters('{"Targets": []}', ''), image()],
  },
  {
    client: 'Lenovo’s script, for a target',
    boundary: URLLIB3,
    parts: [parameters(`{"Targets": ["https://192.0.2.1${NIC_1}"]}`, `https://192.0.2.1${NIC_1}`), image()],
  },
  {
    client: 'Lenovo’s script for AMI',
    boundary: URLLIB3,
    parts: [
      parameters(`{"Targets": ["${uris.system('1')}"]}`, 'parameters.json'),
      [
        headOf('name="OemParameters"; filename="oem_parameters.json"', 'application/json'),
        '{"FlashType": "HPMFwUpdate", "UploadSelector": "Default"}',
      ],
      image(undefined, 'multipart/form-data'),
    ],
  },
  {
    client: 'Dell’s script',
    boundary: URLLIB3,
    parts: [
      parameters('{"Targets": [], "@Redfish.OperationApplyTime": "Immediate", "Oem": {}}'),
      image('filename="Network_Firmware_8T3YF_WN64_22.42.1.EXE"'),
    ],
  },
  {
    client: 'Dell’s script, that does not reboot',
    boundary: URLLIB3,
    parts: [parameters('{"Targets": [], "@Redfish.OperationApplyTime": "OnReset", "Oem": {}}'), image()],
    awaits: 'a reset',
  },
  {
    client: 'Ansible, with parameters of its own',
    boundary: ANSIBLE,
    parts: [
      parameters(
        `{"Targets": ["${NIC_1}"], "@Redfish.OperationApplyTime": "Immediate", "Oem": {"PreserveConfiguration": false}}`,
      ),
      image(),
      [headOf('name="OemParameters"', 'application/json'), '{"ImageType": "BMC"}'],
    ],
  },
  {
    client: 'Tacklebox',
    boundary: URLLIB3,
    parts: [parameters('{}'), image()],
  },
  {
    client: 'a client that quotes its boundary',
    boundary: '=_a b(c)?:/7d2a',
    shownBoundary: '"=_a b(c)?:/7d2a"; charset=utf-8',
    parts: [parameters('{}'), image()],
  },
  {
    client: 'urllib3, where a file name is not ASCII',
    boundary: URLLIB3,
    parts: [parameters('{}'), image("filename*=utf-8''f%C3%BCr%20nic.tar")],
  },
  {
    client: 'urllib3 2, where a file name is not ASCII',
    boundary: URLLIB3,
    parts: [parameters('{}'), image('filename="für nic.tar"')],
  },
]

/** The body and its Content-Type, as they go over the wire. */
export function writePush({ boundary, shownBoundary = boundary, parts }: ClientPush, bytes: Buffer) {
  const text = parts.map(([lines, content]) => `--${boundary}\r\n${lines.join('\r\n')}\r\n\r\n${content}\r\n`)
  const [before = '', after = ''] = `${text.join('')}--${boundary}--\r\n`.split(IMAGE)
  return {
    headers: { 'content-type': `multipart/form-data; boundary=${shownBoundary}` },
    body: Buffer.concat([Buffer.from(before), bytes, Buffer.from(after)]),
  }
}

type Answer = Awaited<ReturnType<TestEmulator['send']>>

/** What one client or another goes by in the answer to a request that starts an update. */
export async function expectTask(
  { send, get }: TestEmulator,
  { status, headers, json }: Answer,
): Promise<void> {
  // bmclib, fwupd and the Dell and Lenovo scripts take nothing but 202.
  expect(status).toBe(202)
  const { location = '' } = headers
  const id = json['Id'] as string
  // Ansible, fwupd and DMTF's library put it behind the address that they know; nv-redfish asks for it.
  expect(location).toBe(uris.taskMonitor(id))
  // The Dell scripts take the Task's Id from its end; bmclib takes it for one only below Tasks.
  expect(location.split('/').at(-1)).toBe(id)
  expect(location).not.toContain('/TaskService/Tasks/')
  expect(headers['retry-after']).toMatch(/^\d+$/)
  // bmclib, libredfish, sushy, fwupd and Ansible read the Task itself.
  expect(json).toMatchObject({
    '@odata.id': uris.task(id),
    '@odata.type': expect.stringMatching(/^#Task\.v1_\d+_\d+\.Task$/),
    Name: expect.any(String),
    TaskState: expect.stringMatching(/^(New|Starting|Running)$/),
    Messages: expect.any(Array),
  })
  // DMTF's library and gofish wait while the monitor says 202, Lenovo's script takes a Task only with 200.
  expect((await send(location)).status).toBe(202)
  expect((await send(uris.task(id))).status).toBe(200)
  // bmclib looks for it among all of them.
  expect((await get(uris.tasks))['Members']).toContainEqual({ '@odata.id': uris.task(id) })
}

/** What they go by at its end. */
export async function expectSuccess({ get }: TestEmulator, { json }: Answer): Promise<void> {
  const { Messages, ...task } = await get(json['@odata.id'] as string)
  expect(task).toMatchObject({
    TaskState: 'Completed',
    // Warning: what the client named beside NIC-1 is nothing that the image is for. ironic takes both.
    TaskStatus: expect.stringMatching(/^(OK|Warning)$/),
    PercentComplete: 100,
  })
  // Lenovo's script fails on a message without arguments.
  for (const one of Messages as readonly JsonObject[]) expect(one['MessageArgs']).toBeInstanceOf(Array)
}
