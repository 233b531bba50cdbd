import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import type { JsonObject } from '../src/redfish/resource.ts'
import { uris } from '../src/redfish/uris.ts'
import { isFinal } from '../src/tasks/task.ts'
import { PASSWORD } from './support/emulator.ts'
import { sendImage, serveHttp } from './support/image-server.ts'
import { bundleOf } from './support/images.ts'
import { messageKeys } from './support/multipart.ts'
import { absent, PATIENCE_MS, PYTHON, run, startBoth, works } from './support/programs.ts'
import { temporaryFolder } from './support/wire.ts'

const OLD = '22.41.1000'
const NEW = '22.42.1'
const NIC_1 = uris.firmware('NIC-1')
/** An update takes a second or two: the clients have to wait for it. */
const SPEED = 20
// More than curl sends without being asked to go on.
const image = await bundleOf({ 'NIC-1': NEW }, { sizeBytes: 2 * 2 ** 20 })

const hasCurl = works('curl', ['--version'])
const hasRequests = works(PYTHON, ['-c', 'import requests'])
const hasSushy = works(PYTHON, ['-c', 'import sushy'])
const hasRedfishtool = works('redfishtool', ['-h'])

/** A service, and the image for it: in a file, and on a server of its own. */
async function startWithImage() {
  const both = await startBoth({ speed: SPEED })
  const file = join(await temporaryFolder(), 'update.tar')
  await writeFile(file, image)
  const server = await serveHttp((_request, response) => sendImage(response, image))
  const versionOf = async () => (await both.get(NIC_1)).json['Version']
  expect(await versionOf()).toBe(OLD)
  return { ...both, file, imageUri: server.uri.href, versionOf }
}

type Service = Awaited<ReturnType<typeof startWithImage>>

async function expectUpdated({ bmc, get, versionOf, spoolIsEmpty }: Service): Promise<void> {
  const tasks = [...bmc.state.tasks.values()]
  expect(tasks.map(({ state }) => isFinal(state))).not.toContain(false)
  const [last = ''] = tasks.map(({ id }) => id).slice(-1)
  expect((await get(uris.task(last))).json).toMatchObject({ TaskState: 'Completed', TaskStatus: 'OK' })
  expect(await versionOf()).toBe(NEW)
  await spoolIsEmpty()
}

/** Prints the states that the task went through, and the version that the inventory tells afterwards. */
const SUSHY = `
import json, sys, time
import sushy
from sushy import auth
url, user, password, image = sys.argv[1:]
service = sushy.Sushy(url, verify=False, auth=auth.SessionAuth(user, password)).get_update_service()
monitor = service.simple_update(image, targets=['${NIC_1}'], transfer_protocol='HTTP')
states = []
while True:
    task = monitor.get_task()
    if task.task_state.value not in states:
        states.append(task.task_state.value)
    if not states[-1] in ('New', 'Starting', 'Running', 'Pending'):
        break
    time.sleep(0.1)
[nic] = [one for one in service.firmware_inventory.get_members() if one.identity == 'NIC-1']
print(json.dumps({'states': states, 'status': task.task_status.value, 'processing': monitor.check_is_processing, 'version': nic.version}))
`

/** Prints what the monitor answered, one after the other, and the version that the inventory tells afterwards. */
const REQUESTS = `
import json, sys, time
import requests
url, user, password, file = sys.argv[1:]
session = requests.Session()
session.auth, session.verify = (user, password), False
service = session.get(url + '/redfish/v1/UpdateService').json()
with open(file, 'rb') as image:
    answer = session.post(url + service['MultipartHttpPushUri'], files={
        'UpdateParameters': (None, json.dumps({'Targets': ['${NIC_1}']}), 'application/json'),
        'UpdateFile': ('update.tar', image, 'application/octet-stream'),
    })
monitor = url + answer.headers['Location']
statuses = [answer.status_code]
while answer.status_code == 202:
    time.sleep(0.1)
    answer = session.get(monitor)
    if answer.status_code != statuses[-1]:
        statuses.append(answer.status_code)
print(json.dumps({'statuses': statuses, 'version': session.get(url + '${NIC_1}').json()['Version']}))
`

test.skipIf(!hasSushy)(
  `sushy has an image fetched by SimpleUpdate and follows its task${absent(hasSushy, 'python3-sushy')}`,
  async () => {
    const service = await startWithImage()
    const printed = await run(PYTHON, ['-c', SUSHY, service.httpsUrl, 'admin', PASSWORD, service.imageUri])
    const { states, ...seen } = JSON.parse(printed) as { readonly states: readonly string[] }
    expect(states.at(-1)).toBe('Completed')
    expect(seen).toEqual({ status: 'OK', processing: false, version: NEW })
    await expectUpdated(service)
  },
  PATIENCE_MS,
)

test.skipIf(!hasRequests)(
  `requests pushes an image and follows its monitor${absent(hasRequests, 'python3-requests')}`,
  async () => {
    const service = await startWithImage()
    const printed = await run(PYTHON, ['-c', REQUESTS, service.httpsUrl, 'admin', PASSWORD, service.file])
    expect(JSON.parse(printed)).toEqual({ statuses: [202, 200], version: NEW })
    await expectUpdated(service)
  },
  PATIENCE_MS,
)

test.skipIf(!hasRedfishtool)(
  `redfishtool has an image fetched and follows its monitor${absent(hasRedfishtool, 'redfishtool')}`,
  async () => {
    const service = await startWithImage()
    const tool = async (...args: readonly string[]) => {
      const login = ['-r', new URL(service.httpsUrl).host, '-S', 'Always', '-u', 'admin', '-p', PASSWORD]
      const printed = await run('redfishtool', [...login, '-A', 'Basic', 'raw', ...args])
      return JSON.parse(printed.slice(printed.search(/^\{/m))) as JsonObject
    }
    const action = uris.action(uris.updateService, 'UpdateService.SimpleUpdate')
    // It follows the monitor by itself, and prints what that says in the end.
    const ending = await tool('POST', action, '-d', JSON.stringify({ ImageURI: service.imageUri }))
    expect(messageKeys(ending)).toContain('UpdateSuccessful')
    expect(await tool('GET', NIC_1)).toMatchObject({ Version: NEW })
    await expectUpdated(service)
  },
  PATIENCE_MS,
)

describe.skipIf(!hasCurl)(`curl${absent(hasCurl, 'curl')}`, () => {
  /** Calls it; to the answer's status and Location. */
  const curl = async ({ httpsUrl }: Service, path: string, ...args: readonly string[]) => {
    const format = '%{http_code} %header{location}'
    const fixed = ['-s', '-k', '-u', `admin:${PASSWORD}`, '-o', '/dev/null', '-w', format]
    const [status = '', location = ''] = (await run('curl', [...fixed, ...args, httpsUrl + path])).split(' ')
    return { status, location }
  }
  const follow = async (service: Service, { location }: Awaited<ReturnType<typeof curl>>) => {
    const look = async () => (await curl(service, location)).status
    await expect.poll(look, { timeout: PATIENCE_MS }).toBe('200')
  }
  /** A push by its form. */
  const form = (file: string, parameters = '{}') =>
    [
      `UpdateParameters=${parameters};type=application/json`,
      `UpdateFile=@${file};type=application/octet-stream`,
    ].flatMap((part) => ['-F', part])

  test.each<[string, string, (file: string) => readonly string[]]>([
    ['a form', uris.multipartPush, (file) => form(file)],
    ['a form, in chunks', uris.multipartPush, (file) => ['-H', 'Transfer-Encoding: chunked', ...form(file)]],
    ['the body', uris.rawPush, (file) => ['--data-binary', `@${file}`]],
    ['the body, as it is read', uris.rawPush, (file) => ['-X', 'POST', '-T', file]],
  ])(
    'pushes an image as %s and follows its monitor',
    async (_what, path, args) => {
      const service = await startWithImage()
      const pushed = await curl(service, path, ...args(service.file))
      expect(pushed.status).toBe('202')
      await follow(service, pushed)
      await expectUpdated(service)
    },
    PATIENCE_MS,
  )

  test.each<[string, readonly string[]]>([
    ['as a form', ['-d', '']],
    ['as JSON', ['-X', 'POST', '-H', 'Content-Type: application/json']],
    ['as nothing', ['-X', 'POST']],
  ])(
    'starts what waits with an empty body, %s',
    async (_what, args) => {
      const service = await startWithImage()
      const parameters = '{"@Redfish.OperationApplyTime":"OnStartUpdateRequest"}'
      const pushed = await curl(service, uris.multipartPush, ...form(service.file, parameters))
      expect(pushed.status).toBe('202')
      const action = uris.action(uris.updateService, 'UpdateService.StartUpdate')
      // Its task is over when it waits.
      const state = () => [...service.bmc.state.tasks.values()][0]?.state
      await expect.poll(state).toBe('Completed')
      const started = await curl(service, action, ...args)
      expect(started.status).toBe('202')
      await follow(service, started)
      await expectUpdated(service)
    },
    PATIENCE_MS,
  )
})
