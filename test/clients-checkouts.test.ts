import { mkdir, readFile, symlink, writeFile } from 'node:fs/promises'
import { delimiter, join } from 'node:path'
import { describe, expect, test } from 'vitest'
import type { EmulatorOptions } from '../src/index.ts'
import type { JsonObject } from '../src/redfish/resource.ts'
import { uris } from '../src/redfish/uris.ts'
import { basic, PASSWORD } from './support/emulator.ts'
import { sendImage, serveHttp } from './support/image-server.ts'
import { bundleOf } from './support/images.ts'
import { absent, checkout, PATIENCE_MS, PYTHON, run, startBoth, TOOLS, works } from './support/programs.ts'
import { temporaryFolder } from './support/wire.ts'

const NEW = '22.42.1'
const NEW_BIOS = '1.9.0'
const NIC_1 = uris.firmware('NIC-1')
/** An update takes a second or two: the clients have to wait for it. */
const SPEED = 20

const tacklebox = checkout('DMTF', 'Redfish-Tacklebox')
const library = checkout('DMTF', 'python-redfish-library')
const collection = checkout('ansible-collections', 'community.general')
const python = process.env['CONFORMANCE_PYTHON'] ?? PYTHON
const tackleboxEnv = {
  PYTHONPATH: [library, library && join(library, 'src'), tacklebox].filter(Boolean).join(delimiter),
}
const hasTacklebox =
  tacklebox !== undefined && works(python, ['-c', 'import redfish, redfish_utilities'], tackleboxEnv)
const hasAnsible = collection !== undefined && works('ansible-playbook', ['--version'])

/** An emulator, and an image in a file. */
async function startWithImage(versions: Readonly<Record<string, string>>, options: EmulatorOptions = {}) {
  const service = await startBoth({ speed: SPEED, ...options })
  const folder = await temporaryFolder()
  const image = await bundleOf(versions)
  const file = join(folder, 'update.tar')
  await writeFile(file, image)
  const versionOf = async (id: string) => (await service.get(uris.firmware(id))).json['Version']
  return { ...service, folder, image, file, versionOf }
}

/** Runs rf_update.py with its own web server on a free port of loopback, in the place of one that all may reach. */
const RF_UPDATE = `
import http.server, sys
sys.argv = sys.argv[1:]
names = {'__name__': '__main__'}
class Local(http.server.HTTPServer):
    def __init__(self, address, handler):
        super().__init__(('127.0.0.1', 0), handler)
        names['WEB_SERVER_PORT'] = self.server_port
http.server.HTTPServer = Local
exec(compile(open(sys.argv[0]).read(), sys.argv[0], 'exec'), names)
`

describe.skipIf(!hasTacklebox)(
  `Tacklebox’s rf_update${absent(hasTacklebox, `Redfish-Tacklebox and its library in ${TOOLS}`)}`,
  () => {
    test.each<[how: string, options: EmulatorOptions, uri: string]>([
      ['pushes an image', {}, uris.multipartPush],
      [
        'has it fetched from a web server of its own',
        { updateMethods: 'raw,simple' },
        uris.action(uris.updateService, 'UpdateService.SimpleUpdate'),
      ],
    ])(
      '%s, and follows its monitor',
      async (_how, options, uri) => {
        const { httpsUrl, folder, file, bmc, versionOf } = await startWithImage({ 'NIC-1': NEW }, options)
        const script = join(tacklebox ?? '', 'scripts', 'rf_update.py')
        const login = ['-r', httpsUrl, '-u', 'admin', '-p', PASSWORD]
        const args = [script, ...login, '-i', file, '-t', NIC_1]
        const printed = await run(python, ['-c', RF_UPDATE, ...args], { env: tackleboxEnv, cwd: folder })
        const [task] = bmc.state.tasks.values()
        expect(task?.payload.targetUri).toBe(uri)
        // Its exit code is 0 whatever the monitor answers: what it prints and what runs is what counts.
        expect(printed).toMatch(/Task is \w+: \d+% complete/)
        expect(printed).toContain('Task is Done!')
        expect(printed).not.toMatch(/fail/i)
        expect(await versionOf('NIC-1')).toBe(NEW)
        // It logs out.
        expect(bmc.state.sessions.size).toBe(0)
      },
      PATIENCE_MS,
    )
  },
)

/** A look at what the handle names, until it says what is waited for. */
const look = (name: string, handle: string, until: string) => `
    - community.general.redfish_info:
        category: Update
        command: GetUpdateStatus
        update_handle: "{{ ${handle} }}"
      register: ${name}
      until: ${until}
      retries: 100
      delay: 0.2
`

const status = (name: string) => `${name}.redfish_facts.update_status`
const requested = 'requested.return_values.update_status'

/** Asks for an update, follows it from task to job, does what it asks for, and writes down what it saw. */
const PLAYBOOK = `
- hosts: localhost
  gather_facts: false
  module_defaults:
    community.general.redfish_command: &login
      baseuri: "{{ baseuri }}"
      username: admin
      password: "{{ password }}"
    community.general.redfish_info: *login
  tasks:
    - community.general.redfish_command: "{{ asked }}"
      register: requested
${look('task', `${requested}.handle`, `${status('task')}.handle != ${requested}.handle`)}
${look('job', `${status('task')}.handle or ${requested}.handle`, `${status('job')}.resets_requested or not ${status('job')}.handle`)}
    - community.general.redfish_command:
        category: Update
        command: PerformRequestedOperations
        update_handle: "{{ ${status('job')}.handle or ${requested}.handle }}"
      register: performed
${look('ended', `${status('job')}.handle or ${requested}.handle`, `not ${status('ended')}.handle`)}
    - community.general.redfish_info:
        category: Update
        command: GetFirmwareInventory
      register: inventory
    - ansible.builtin.copy:
        content: "{{ {
          'requested': ${requested}.status,
          'task': ${status('task')},
          'job': ${status('job')},
          'performed': performed is changed,
          'ended': ${status('ended')}.status,
          'inventory': inventory.redfish_facts.firmware.entries
        } | to_json }}"
        dest: "{{ report }}"
`

describe.skipIf(!hasAnsible)(
  `Ansible’s redfish_command${absent(hasAnsible, `ansible-playbook, or no community.general in ${TOOLS}`)}`,
  () => {
    /** Plays it in a folder of its own; to what it saw. */
    const play = async (
      { httpsUrl, folder }: Awaited<ReturnType<typeof startWithImage>>,
      asked: JsonObject,
    ) => {
      const collections = join(folder, 'ansible_collections', 'community')
      await mkdir(collections, { recursive: true })
      await symlink(collection ?? '', join(collections, 'general'))
      const [playbook, report] = [join(folder, 'update.yml'), join(folder, 'report.json')]
      await writeFile(playbook, PLAYBOOK)
      const baseuri = new URL(httpsUrl).host
      const variables = { baseuri, password: PASSWORD, report, asked: { category: 'Update', ...asked } }
      const env = {
        HOME: folder,
        ANSIBLE_HOME: folder,
        ANSIBLE_COLLECTIONS_PATH: folder,
        ANSIBLE_COLLECTIONS_ON_ANSIBLE_VERSION_MISMATCH: 'ignore',
        ANSIBLE_PYTHON_INTERPRETER: PYTHON,
        LC_ALL: 'C.UTF-8',
      }
      const args = ['-i', 'localhost,', '-c', 'local', '-e', JSON.stringify(variables), playbook]
      await run('ansible-playbook', args, { env, cwd: folder })
      return JSON.parse(await readFile(report, 'utf8')) as JsonObject
    }

    test(
      'pushes an image, follows it into its job, performs the reset that it asks for, and finds the version',
      async () => {
        const service = await startWithImage({ BIOS: NEW_BIOS })
        const asked = { command: 'MultipartHTTPPushUpdate', update_image_file: service.file }
        const seen = await play(service, { ...asked, update_targets: [uris.firmware('BIOS')] })
        const uri = uris.action(uris.system('1'), 'ComputerSystem.Reset')
        expect(seen).toMatchObject({
          requested: expect.stringMatching(/New|Starting|Running/),
          task: { status: 'New', handle: uris.job('1') },
          job: { status: 'UserIntervention', resets_requested: [{ uri, type: 'GracefulRestart' }] },
          performed: true,
          ended: 'Completed',
          inventory: expect.arrayContaining([expect.objectContaining({ Id: 'BIOS', Version: NEW_BIOS })]),
        })
      },
      PATIENCE_MS,
    )

    test(
      'has an image fetched with a password, follows its monitor and finds the version',
      async () => {
        const service = await startWithImage({ 'NIC-1': NEW })
        const users: (string | undefined)[] = []
        const server = await serveHttp((request, response) => {
          users.push(request.headers.authorization)
          if (request.headers.authorization !== undefined) return sendImage(response, service.image)
          return response.writeHead(401, { 'www-authenticate': 'Basic realm="images"' }).end()
        })
        const seen = await play(service, {
          command: 'SimpleUpdate',
          update_image_uri: server.uri.href,
          update_protocol: 'HTTP',
          update_targets: [NIC_1],
          update_creds: { username: 'operator', password: 'supersecretpwd' },
          update_apply_time: 'Immediate',
        })
        expect(users.at(-1)).toBe(basic('operator', 'supersecretpwd'))
        expect(seen).toMatchObject({
          task: { status: 'Completed', handle: null, resets_requested: [] },
          performed: false,
          ended: 'Completed',
          inventory: expect.arrayContaining([expect.objectContaining({ Id: 'NIC-1', Version: NEW })]),
        })
      },
      PATIENCE_MS,
    )
  },
)
