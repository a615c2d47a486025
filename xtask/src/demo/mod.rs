//! `cargo xtask demo`: everything that Lazaret does for a cluster, on this machine, ready to be tried.
//!
//! A real cluster and a registry, `lazaret serve`, the cluster imported and the service activated through the client, as an
//! operator would. Ends, with everything it started, when it is told to.

mod interruption;
mod stage;

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use testkit::{Output, Program, RunningProgram, Scratch, wait_until, workspace_folder};

pub(crate) use interruption::Interruption;
pub(crate) use stage::Stage;

use crate::progress::{print, say, step};
use crate::run::{cargo, command};

const START_TIME: Duration = Duration::from_secs(60);
/// An image is analyzed on the first question about it; an unoptimized program on a busy machine takes its time.
const VERDICT_TIME: Duration = Duration::from_secs(120);
const LOOK_EVERY: Duration = Duration::from_millis(500);
const CLUSTER: &str = "demo";

/// Runs it until a signal.
pub(crate) fn demo() -> Result<()> {
    stage::find_parts()?;
    build_program()?;
    let interruption = Interruption::watch()?;
    let demo = Demo::start(&interruption);
    // An interrupted beginning is no failure of anything; what had been started went with its value.
    let mut demo = demo.inspect_err(|_| say("all that had been started is stopped"))?;
    print(&demo.text()?);
    say("Ctrl-C stops all of it.");
    let waited = interruption.wait(LOOK_EVERY, || demo.look());
    let stopped = step("stopping", || demo.stop());
    waited.and(stopped)
}

/// The program of these sources; cargo itself tells what goes on.
fn build_program() -> Result<()> {
    say("building lazaret (some minutes the first time) …");
    let status = command(cargo()).args(["build", "--quiet", "--package=lazaret"]).status()?;
    ensure!(status.success(), "`cargo build --package=lazaret` ended with {status}");
    Ok(())
}

/// All that runs. Fields are dropped in this order: the server before the cluster that it works on, the folder last.
struct Demo {
    /// None once it was stopped.
    server: Option<RunningProgram>,
    stage: Stage,
    program: PathBuf,
    scratch: Scratch,
}

impl Demo {
    fn start(interruption: &Interruption) -> Result<Self> {
        let scratch = Scratch::new("demo")?;
        let stage = Stage::start(interruption)?;
        let own = std::env::current_exe().context("failed to find the path of this program")?;
        let program = own.parent().context("this program lies in a folder")?.join("lazaret");
        let mut demo = Self { server: None, stage, program, scratch };
        step("starting lazaret serve with its vulnerability data", || demo.serve())?;
        interruption.check()?;
        step("importing the cluster", || demo.import())?;
        interruption.check()?;
        step("activating the security scan with the policy reject_high", || demo.activate())?;
        interruption.check()?;
        step("having both images judged", || demo.judge())?;
        interruption.check()?;
        demo.write_shell_file()?;
        Ok(demo)
    }

    fn serve(&mut self) -> Result<()> {
        let data = self.data_folder();
        fs_err::create_dir_all(&data)?;
        let feed = workspace_folder().join("e2e/testdata/debian-tracker.json");
        let feed = format!("debian-tracker={}", feed.display());
        let build = self.lazaret().arguments(["db", "build", "--feed", &feed, "-o"]);
        build.argument(data.join("vulnerability.db")).run(b"")?.success()?;
        let registry = self.stage.registry.host();
        let server = self
            .lazaret()
            .arguments(["serve", "--listen", "127.0.0.1:0", "--engine-listen", "127.0.0.1:0"])
            .arguments(["--admission-listen", "127.0.0.1:0", "--insecure-registry", &registry, "--data-dir"])
            .argument(&data)
            .start()?;
        let line = server.wait_for_line("control plane ", START_TIME)?;
        let endpoint = line.split_whitespace().last().context("an address")?.to_owned();
        // The line above comes first; the listeners answer when the whole greeting is out.
        server.wait_for_line("first user ", START_TIME)?;
        self.server = Some(server);
        let token = fs_err::read(data.join("admin.token"))?;
        self.client(&["login", "-e", &endpoint, "-t", "-"], &token)
    }

    fn import(&self) -> Result<()> {
        let kubeconfig = fs_err::read(self.stage.cluster.kubeconfig("admin")?)?;
        self.client(&["cluster", "import", "--name", CLUSTER, "--wait"], &kubeconfig)
    }

    fn activate(&self) -> Result<()> {
        let arguments =
            ["cluster", "service", "securityscan", "activate", "--cluster-name", CLUSTER, "--wait"];
        self.client(&arguments, br#"{"policy": {"policyId": "reject_high"}}"#)
    }

    /// Asks about both images until there are verdicts, so that whoever tries gets them at once. Nothing is created.
    fn judge(&self) -> Result<()> {
        let ask = |tag: &str| -> Result<Output> {
            let image = format!("--image={}", self.stage.registry.reference(&format!("debian:{tag}")));
            self.stage.cluster.kubectl(&["run", "probe", &image, "--dry-run=server"])
        };
        let mut last = String::new();
        let judged = wait_until(VERDICT_TIME, "verdicts about both images", || {
            let (vulnerable, fixed) = (ask("vulnerable").ok()?, ask("fixed").ok()?);
            last = format!("{}{}", vulnerable.stderr, fixed.stderr);
            (vulnerable.stderr.contains("CVE-") && fixed.is_success()).then_some(())
        });
        judged.with_context(|| format!("the cluster said at last:\n{last}"))
    }

    /// What a shell has to know to follow.
    fn write_shell_file(&self) -> Result<()> {
        let paths = [&self.stage.kubectl_folder, self.program.parent().unwrap_or(&self.stage.kubectl_folder)];
        let text = format!(
            "export KUBECONFIG='{}'\nexport KUBECACHEDIR='{}'\nexport BANZAICONFIG='{}'\nexport PATH='{}':'{}':\"$PATH\"\n",
            self.stage.cluster.kubeconfig("admin")?.display(),
            self.scratch.path().join("kubectl-cache").display(),
            self.client_configuration().display(),
            paths[0].display(),
            paths[1].display(),
        );
        fs_err::write(self.shell_file(), text).context("failed to write the file for shells")
    }

    /// What whoever started it reads.
    fn text(&self) -> Result<String> {
        let (vulnerable, fixed) = (
            self.stage.registry.reference("debian:vulnerable"),
            self.stage.registry.reference("debian:fixed"),
        );
        Ok(format!(
            "\nEverything runs. The cluster's kubeconfig:\n\n    {kubeconfig}\n\n\
             In another terminal, so that it has kubectl, lazaret and the way to both:\n\n  source {shell}\n\n\
             1. Refused: this image has a vulnerability of severity High, for which there is a fix.\n\n  \
             kubectl run shop --image={vulnerable}\n\n\
             2. Admitted: the same image with its security updates.\n\n  \
             kubectl run good --image={fixed}\n\n\
             3. Whitelisted: a release that you let in all the same.\n\n  \
             lazaret whitelist create trusted --reason 'until the fix is out' && kubectl run trusted --image={vulnerable}\n\n\
             4. Audits: what was decided, and why.\n\n  \
             kubectl get audits && kubectl describe audit shop\n",
            kubeconfig = self.stage.cluster.kubeconfig("admin")?.display(),
            shell = self.shell_file().display(),
        ))
    }

    /// Errors: something of it does not run any more.
    fn look(&mut self) -> Result<()> {
        if let Some(server) = &mut self.server
            && let Some(status) = server.find_exit_status()
        {
            bail!("lazaret serve ended with {status}:\n{}", server.output());
        }
        match self.stage.cluster.process_ids().into_iter().find(|id| !testkit::is_process_alive(*id)) {
            Some(id) => bail!("a process of the cluster ended: {id}"),
            None => Ok(()),
        }
    }

    /// Ends all of it; the rest goes with the value.
    fn stop(mut self) -> Result<()> {
        if let Some(server) = self.server.take() {
            let (status, output) = server.stop()?;
            ensure!(status.success(), "lazaret serve ended with {status}:\n{output}");
        }
        Ok(())
    }

    fn client(&self, arguments: &[&str], stdin: &[u8]) -> Result<()> {
        let client = self.lazaret().environment("BANZAICONFIG", self.client_configuration());
        client.arguments(arguments).argument("--no-interactive").run(stdin)?.success().map(drop)
    }

    /// The facts are those of the folder: nothing is fetched, and nothing is behind a proxy of this machine.
    fn lazaret(&self) -> Program {
        Program::at(&self.program)
            .environment("LAZARET_FEEDS_FETCH", "false")
            .environment("NO_PROXY", "127.0.0.1,localhost")
            .environment("no_proxy", "127.0.0.1,localhost")
    }

    fn data_folder(&self) -> PathBuf {
        self.scratch.path().join("data")
    }

    fn client_configuration(&self) -> PathBuf {
        self.scratch.path().join("client.yaml")
    }

    fn shell_file(&self) -> PathBuf {
        self.scratch.path().join("shell")
    }
}
