import type { Command } from 'commander'
import { systemClock } from '../lib/clock.ts'
import { createProgress } from './progress.ts'
import type { Finish, Terminal } from './terminal.ts'

interface PushOptions {
  readonly target?: readonly string[]
  readonly applyTime?: string
  readonly start?: true
  readonly stage?: true
  readonly force?: true
  readonly reset?: true
  readonly insecure?: true
  readonly user?: string
  readonly password?: string
}

/** `redflash push`: an image into any Redfish service, which is given it or fetches it, followed to its end. */
export function addPushCommand(program: Command, terminal: Terminal, finish: Finish): void {
  program
    .command('push')
    .description('push an image to a Redfish service and follow the update')
    .argument('<url>', 'the service, as in http://127.0.0.1:8000')
    .argument('<image>', 'the image: a file, or the URI where the service is to fetch it (SimpleUpdate)')
    .option(
      '--target <uri>',
      'what to update; may be repeated',
      (uri: string, before: readonly string[] | undefined) => [...(before ?? []), uri],
    )
    .option('--apply-time <value>', 'when to apply it (@Redfish.OperationApplyTime)')
    .option('--start', 'start an update that waits for StartUpdate')
    .option('--stage', 'set Stage: leave the image on the devices, to be activated later')
    .option('--force', 'set ForceUpdate')
    .option('--reset', 'perform each reset that the update asks for, and follow it to its end')
    .option('--insecure', 'accept any certificate')
    .option('--user <name>', 'user name (default: admin)')
    .option('--password <password>', 'password (default: redflash)')
    .action(async (url: string, image: string, options: PushOptions) => {
      const { environment } = terminal
      const user = options.user ?? environment['REDFLASH_USER'] ?? 'admin'
      const password = options.password ?? environment['REDFLASH_PASSWORD'] ?? 'redflash'
      finish(await push(terminal, url, image, { ...options, user, password }))
    })
}

/** Pushes and reports; resolves to the exit code, 0 only for an update that completed, or waits for somebody. */
export async function push(
  { out, err }: Terminal,
  url: string,
  image: string,
  options: PushOptions,
): Promise<number> {
  // Loaded here: no other command needs an HTTP client.
  const [{ RedfishClient }, { pushImage }] = await Promise.all([
    import('../client/redfish-client.ts'),
    import('../client/push.ts'),
  ])
  const { user = '', password = '', insecure = false, target, applyTime } = options
  const client = new RedfishClient(url, { user, password, insecure })
  const errand = { client, watcher: createProgress(out, systemClock), clock: systemClock }
  const parameters = {
    ...(target !== undefined && { Targets: target }),
    ...(applyTime !== undefined && { '@Redfish.OperationApplyTime': applyTime }),
    ...(options.stage && { Stage: true }),
    ...(options.force && { ForceUpdate: true }),
  }
  try {
    const { reset: resets = false, start: starts = false } = options
    if (await pushImage(errand, { image, parameters, resets, starts })) return 0
    err.write('the update did not complete\n')
    return 1
  } finally {
    await client.close()
  }
}
