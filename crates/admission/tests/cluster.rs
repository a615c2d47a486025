//! The webhook against a real API server: installed by URL, asked by it, audited in it, removed from it.

#[cfg(test)]
mod cluster {
    use std::sync::Arc;
    use std::time::Duration;

    use admission::audit_writer::{AuditLimits, AuditQueue, AuditWriter};
    use admission::audits::AuditRecord;
    use admission::certificate_store::ensure;
    use admission::manifests::{STRICT_WEBHOOK_NAME, WEBHOOK_NAME};
    use admission::metrics::Metrics;
    use admission::{
        Admission, CertificateSource, EngineAccess, InstallOptions, Removal, ServiceOptions, Settings,
        SourceState, Verdict, VerdictError, VerdictQuestion, VerdictSource, WebhookEndpoint, install,
        uninstall,
    };
    use async_trait::async_trait;
    use jiff::Timestamp;
    use kube::Client;
    use kube::config::{KubeConfigOptions, Kubeconfig};
    use model::Digest;
    use serde_json::Value;
    use testkit::Cluster;
    use tokio_util::sync::CancellationToken;

    fn clock() -> Timestamp {
        Timestamp::UNIX_EPOCH + std::time::UNIX_EPOCH.elapsed().unwrap()
    }

    /// Refuses every image with `bad` in its name; knows nothing about those with `unknown`.
    struct ByName;

    #[async_trait]
    impl VerdictSource for ByName {
        async fn verdict(&self, question: &VerdictQuestion) -> Result<Verdict, VerdictError> {
            let repository = question.reference.repository();
            if repository.contains("unknown") {
                return Err(VerdictError::NotFound);
            }
            Ok(Verdict {
                digest: Digest::from_sha256(&[1; 32]),
                resolved_at: clock(),
                is_pass: !repository.contains("bad"),
                policy_id: "p".to_owned(),
                policy_revision: "1".to_owned(),
                database_revision: "1".to_owned(),
                reasons: Vec::new(),
                warnings: Vec::new(),
                evaluated_at: clock(),
            })
        }

        async fn state(&self) -> Result<SourceState, VerdictError> {
            Ok(SourceState {
                policy_revision: "1".to_owned(),
                database_revision: "1".to_owned(),
                bundle: None,
            })
        }
    }

    async fn client(cluster: &Cluster) -> Client {
        let kubeconfig = Kubeconfig::read_from(cluster.kubeconfig("admin").unwrap()).unwrap();
        let options = KubeConfigOptions::default();
        let config = kube::Config::from_custom_kubeconfig(kubeconfig, &options).await.unwrap();
        Client::try_from(config).unwrap()
    }

    /// Runs kubectl; its output and whether it succeeded.
    async fn kubectl(cluster: &Arc<Cluster>, arguments: &str) -> (bool, String) {
        let (cluster, arguments) = (Arc::clone(cluster), arguments.to_owned());
        tokio::task::spawn_blocking(move || {
            let words: Vec<&str> = arguments.split(' ').collect();
            let output = cluster.kubectl(&words).unwrap();
            (output.is_success(), format!("{}{}", output.stdout, output.stderr))
        })
        .await
        .unwrap()
    }

    async fn accepts(cluster: &Arc<Cluster>, arguments: &str) -> String {
        let (is_success, text) = kubectl(cluster, arguments).await;
        assert!(is_success, "kubectl {arguments}: {text}");
        text
    }

    async fn rejects(cluster: &Arc<Cluster>, arguments: &str, expected: &str) {
        let (is_success, text) = kubectl(cluster, arguments).await;
        assert!(!is_success && text.contains(expected), "kubectl {arguments}: {text}");
    }

    async fn apply(cluster: &Arc<Cluster>, yaml: &'static str) {
        let cluster = Arc::clone(cluster);
        let output = tokio::task::spawn_blocking(move || {
            cluster.kubectl_with_stdin(&["apply", "-f", "-"], yaml.as_bytes()).unwrap()
        });
        let output = output.await.unwrap();
        assert!(output.is_success(), "{}", output.stderr);
    }

    /// Repeats until kubectl succeeds (or fails) and its output holds the text.
    async fn eventually(cluster: &Arc<Cluster>, arguments: &str, is_success: bool, expected: &str) -> String {
        // The collector takes up to 30 s to learn about a new kind of object.
        let deadline = tokio::time::Instant::now() + Duration::from_secs(60);
        loop {
            let (found, text) = kubectl(cluster, arguments).await;
            if found == is_success && text.contains(expected) {
                return text;
            }
            assert!(tokio::time::Instant::now() < deadline, "kubectl {arguments}: {text}");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    async fn get(cluster: &Arc<Cluster>, what: &str) -> Value {
        serde_json::from_str(&accepts(cluster, &format!("get {what} -o json")).await).unwrap()
    }

    async fn start_cluster() -> Arc<Cluster> {
        Arc::new(tokio::task::spawn_blocking(|| Cluster::start().unwrap()).await.unwrap())
    }

    fn source(folder: &std::path::Path) -> CertificateSource {
        CertificateSource::Folder { path: folder.join("tls"), host_names: vec!["127.0.0.1".to_owned()] }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_webhook_from_installation_to_removal() {
        let cluster = start_cluster().await;
        let client = client(&cluster).await;
        let folder = tempfile::tempdir().unwrap();
        let mut settings = Settings::new(source(folder.path()), clock);
        settings.listen = "127.0.0.1:0".parse().unwrap();
        settings.health_listen = settings.listen;
        settings.certificate_check_every = Duration::from_millis(300);
        settings.audits.keep_for = Duration::from_secs(8);
        settings.audits.reap_every = Duration::from_millis(300);
        let served = ensure(&settings.certificate, None, clock()).await.unwrap();
        let admission = Admission::bind(settings, Arc::new(ByName), client.clone()).await.unwrap();
        let url = format!("https://{}/imagecheck", admission.review_address().unwrap());
        let options =
            InstallOptions::new(WebhookEndpoint::Url { url, ca_bundle: served.authorities.unwrap() });

        let versions = async || {
            let mut versions = Vec::new();
            for name in ["whitelistitems.security.banzaicloud.com", "audits.security.banzaicloud.com"] {
                let definition = get(&cluster, &format!("crd {name}")).await;
                let established = &definition["status"]["conditions"];
                assert!(established.to_string().contains("Established"), "{established}");
                versions.push(definition["metadata"]["resourceVersion"].clone());
            }
            let configuration = get(&cluster, "validatingwebhookconfiguration lazaret-admission").await;
            versions.push(configuration["metadata"]["resourceVersion"].clone());
            versions
        };
        install(&client, &options).await.unwrap();
        let first = versions().await;
        install(&client, &options).await.unwrap();
        assert_eq!(versions().await, first, "applying again changes nothing");

        let shutdown = CancellationToken::new();
        let running = tokio::spawn(admission.run(shutdown.clone()));
        decisions(&cluster).await;
        audits(&cluster).await;
        bundle_is_restored(&cluster).await;

        uninstall(&client, &options, Removal::KeepResources).await.unwrap();
        accepts(&cluster, "run later --image=bad").await;
        accepts(&cluster, "get crd audits.security.banzaicloud.com").await;
        uninstall(&client, &options, Removal::RemoveResources).await.unwrap();
        eventually(&cluster, "get crd audits.security.banzaicloud.com", false, "NotFound").await;
        uninstall(&client, &options, Removal::RemoveResources).await.unwrap();
        shutdown.cancel();
        running.await.unwrap().unwrap();
    }

    async fn decisions(cluster: &Arc<Cluster>) {
        // The webhook answers a moment after the installation; the first refusal shows that it does.
        let refused = format!("{WEBHOOK_NAME}\" denied the request: Image failed policy check: bad\n");
        eventually(cluster, "run probe --image=bad", false, &refused).await;
        rejects(cluster, "run busybox1 --image=bad", &refused).await;
        rejects(cluster, "run dry --image=bad --dry-run=server", &refused).await;
        rejects(cluster, "run who --image=unknown", "not decided: the registry has no such image").await;
        accepts(cluster, "run fine --image=good").await;
        rejects(cluster, "set image pod/fine fine=bad", "Image failed policy check: bad\n").await;
        accepts(cluster, "label pod fine a=b").await;
        let ephemeral = "debug fine --image=bad2 --container=d -- sh";
        rejects(cluster, ephemeral, "Image failed policy check: bad2\n").await;

        accepts(cluster, "label namespace default security.banzaicloud.com/undecided=deny").await;
        rejects(cluster, "run strict --image=bad", STRICT_WEBHOOK_NAME).await;
        accepts(cluster, "label namespace default security.banzaicloud.com/undecided=allow --overwrite")
            .await;
        eventually(cluster, "run who --image=unknown", true, "not decided, let in unchecked").await;
        accepts(cluster, "run system -n kube-system --image=bad").await;

        apply(
            cluster,
            "apiVersion: security.banzaicloud.com/v1alpha1\nkind: WhiteListItem\nmetadata: {name: excused}\n\
             spec: {creator: me, reason: test}\n",
        )
        .await;
        eventually(cluster, "run excused --image=bad", true, "created").await;
        rejects(cluster, "run excused-2 --image=bad", "Image failed policy check: bad\n").await;
        let listed = accepts(cluster, "get wl").await;
        assert!(listed.contains("REASON") && listed.contains("excused"), "{listed}");
    }

    async fn audits(cluster: &Arc<Cluster>) {
        // The last decision under a name is the one that is kept: here a refused change of a Pod that runs.
        eventually(cluster, "get audit fine", true, "reject").await;
        accepts(cluster, "run calm --image=good").await;
        eventually(cluster, "get audit calm", true, "allowed").await;
        let owned = get(cluster, "audit calm").await;
        assert_eq!(owned["metadata"]["ownerReferences"][0]["kind"], "Pod");
        assert_eq!(owned["metadata"]["labels"]["fakerelease"], "true");
        eventually(cluster, "get audit excused -o json", true, "Whitelisted release: excused").await;
        rejects(cluster, "get audit dry", "NotFound").await;

        rejects(cluster, "run expiring --image=bad", "denied").await;
        let described = eventually(cluster, "describe audits expiring", true, "Release Name:").await;
        for line in
            ["reject", "Image failed policy check: bad", "docker.io/library/bad", "latest", "sha256:0101"]
        {
            assert!(described.contains(line), "{line}: {described}");
        }
        eventually(cluster, "get audit expiring", false, "NotFound").await;

        accepts(cluster, "create deployment shop --image=bad").await;
        let listed = eventually(cluster, "get audits", true, "replicaset-shop-").await;
        assert!(
            listed.contains("RELEASE") && listed.contains("ACTION") && listed.contains("IMAGE"),
            "{listed}"
        );
        let name = listed.split_whitespace().find(|word| word.starts_with("replicaset-shop-")).unwrap();
        let audit = get(cluster, &format!("audit {name}")).await;
        assert_eq!(audit["metadata"]["ownerReferences"][0]["kind"], "ReplicaSet");
        accepts(cluster, "delete deployment shop").await;
        eventually(cluster, &format!("get audit {name}"), false, "NotFound").await;
        // What must not be collected too early is still there.
        accepts(cluster, "get audit calm").await;
        accepts(cluster, "delete pod calm --now").await;
        eventually(cluster, "get audit calm", false, "NotFound").await;
    }

    async fn bundle_is_restored(cluster: &Arc<Cluster>) {
        let bundle = async || {
            let configuration = get(cluster, "validatingwebhookconfiguration lazaret-admission").await;
            let webhooks = configuration["webhooks"].as_array().unwrap().clone();
            webhooks.iter().map(|webhook| webhook["clientConfig"]["caBundle"].clone()).collect::<Vec<_>>()
        };
        let good = bundle().await;
        let patch = r#"[{"op":"remove","path":"/webhooks/0/clientConfig/caBundle"}]"#;
        accepts(
            cluster,
            &format!("patch validatingwebhookconfiguration lazaret-admission --type=json -p {patch}"),
        )
        .await;
        let deadline = tokio::time::Instant::now() + Duration::from_secs(10);
        while bundle().await != good {
            assert!(tokio::time::Instant::now() < deadline, "the CA bundle is not restored");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn audits_outlive_an_api_server_that_is_away() {
        let cluster = start_cluster().await;
        let client = client(&cluster).await;
        let folder = tempfile::tempdir().unwrap();
        let url = "https://127.0.0.1:1/imagecheck".to_owned();
        install(&client, &InstallOptions::new(WebhookEndpoint::Url { url, ca_bundle: String::new() }))
            .await
            .unwrap();
        let limits = AuditLimits {
            spool: Some(folder.path().join("audits.jsonl")),
            shutdown_time: Duration::from_millis(500),
            ..AuditLimits::default()
        };
        let record = |number: usize| AuditRecord {
            namespace: "default".to_owned(),
            name: format!("pod-{number}"),
            is_fake_release: true,
            owner: None,
            owner_is_new: false,
            expires_at: Some("2100-01-01T00:00:00Z".parse().unwrap()),
            is_running: false,
            spec: admission::crd::AuditSpec { release_name: format!("r{number}"), ..Default::default() },
        };
        let stop_api_server = async |is_away: bool| {
            let cluster = Arc::clone(&cluster);
            tokio::task::spawn_blocking(move || match is_away {
                true => cluster.stop_api_server(),
                false => cluster.restart_api_server().unwrap(),
            })
            .await
            .unwrap();
        };

        stop_api_server(true).await;
        let metrics = Arc::new(Metrics::default());
        let (queue, receiver) = AuditQueue::new(&limits, Arc::clone(&metrics));
        let writer = AuditWriter::open(client.clone(), limits.clone(), Arc::clone(&metrics)).await.unwrap();
        let shutdown = CancellationToken::new();
        let running = tokio::spawn(writer.run(receiver, shutdown.clone()));
        (0..20).chain(0..20).for_each(|number| queue.push(record(number)));
        tokio::time::sleep(Duration::from_millis(700)).await;
        shutdown.cancel();
        running.await.unwrap().unwrap();
        assert_eq!((metrics.audits_written.get(), metrics.audits_refused.get()), (0, 0));
        assert!(folder.path().join("audits.jsonl").exists());

        stop_api_server(false).await;
        let (_queue, receiver) = AuditQueue::new(&limits, Arc::clone(&metrics));
        let writer = AuditWriter::open(client.clone(), limits, Arc::clone(&metrics)).await.unwrap();
        let shutdown = CancellationToken::new();
        let running = tokio::spawn(writer.run(receiver, shutdown.clone()));
        eventually(&cluster, "get audit pod-19", true, "r19").await;
        let deadline = tokio::time::Instant::now() + Duration::from_secs(20);
        while get(&cluster, "audits").await["items"].as_array().unwrap().len() != 20 {
            assert!(tokio::time::Instant::now() < deadline, "audits are missing");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        shutdown.cancel();
        running.await.unwrap().unwrap();
        assert_eq!(metrics.audits_written.get(), 20, "none lost, none doubled");
        assert!(!folder.path().join("audits.jsonl").exists());
    }

    async fn scope_of_the_original_is_refused(
        cluster: &Arc<Cluster>,
        client: &Client,
        options: &InstallOptions,
    ) {
        let definition = "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\n\
            metadata: {name: audits.security.banzaicloud.com}\n\
            spec: {group: security.banzaicloud.com, scope: Cluster, names: {kind: Audit, plural: audits}, versions: [\
            {name: v1alpha1, served: true, storage: true, schema: {openAPIV3Schema: {type: object}}}]}\n";
        apply(cluster, definition).await;
        let error = install(client, options).await.unwrap_err();
        assert!(
            error.to_string().contains("is there with scope `Cluster` instead of `Namespaced`"),
            "{error}"
        );
        accepts(cluster, "delete crd audits.security.banzaicloud.com").await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_server_inside_the_cluster_is_installed_and_removed() {
        let cluster = start_cluster().await;
        let client = client(&cluster).await;
        let options = InstallOptions::new(WebhookEndpoint::Service(ServiceOptions {
            namespace: "lazaret-system".to_owned(),
            image: "registry.example.org/lazaret:1".to_owned(),
            arguments: vec!["admission".to_owned()],
            replicas: 2,
            engine: EngineAccess {
                url: "https://engine.example.org".to_owned(),
                credentials_secret: "engine".to_owned(),
                is_insecure: false,
            },
        }));
        scope_of_the_original_is_refused(&cluster, &client, &options).await;
        install(&client, &options).await.unwrap();
        let kinds = "deployment,service,serviceaccount,role,rolebinding,pdb";
        let count = async || {
            let all =
                get(&cluster, &format!("{kinds} -n lazaret-system -l app.kubernetes.io/name=lazaret")).await;
            all["items"].as_array().unwrap().len()
        };
        assert_eq!(count().await, 6);
        install(&client, &options).await.unwrap();

        let account = "--as=system:serviceaccount:lazaret-system:lazaret-admission";
        for (question, is_allowed) in [
            ("list whitelistitems", true),
            ("patch audits -n shop", true),
            ("list namespaces", true),
            ("list pods", false),
            ("get secrets -n kube-system", false),
            ("get secrets -n lazaret-system", false),
            ("get secret/lazaret-admission-tls -n lazaret-system", true),
            ("patch validatingwebhookconfigurations/lazaret-admission", true),
            ("patch validatingwebhookconfigurations/other", false),
            ("create pods -n shop", false),
        ] {
            let (is_success, text) = kubectl(&cluster, &format!("auth can-i {question} {account}")).await;
            assert_eq!(is_success, is_allowed, "{question}: {text}");
        }

        let certificate = CertificateSource::Secret {
            namespace: "lazaret-system".to_owned(),
            name: "lazaret-admission-tls".to_owned(),
            host_names: vec!["lazaret-admission.lazaret-system.svc".to_owned()],
        };
        let replicas = (0..4).map(|_| ensure(&certificate, Some(&client), clock()));
        let served: Vec<_> =
            futures_util::future::join_all(replicas).await.into_iter().map(Result::unwrap).collect();
        assert!(served.iter().all(|one| *one == served[0]), "all replicas serve the one stored certificate");

        uninstall(&client, &options, Removal::KeepResources).await.unwrap();
        assert_eq!(count().await, 0);
        accepts(&cluster, "get crd whitelistitems.security.banzaicloud.com").await;
    }
}
