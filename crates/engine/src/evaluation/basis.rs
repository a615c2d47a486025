//! What an evaluation reads from the tables.

use std::sync::Arc;

use model::ImageReference;
use policy::Bundle;
use storage::Mark;

use super::{EvaluateError, EvaluationQuestion, name_asked_about, require_analyzed};
use crate::exceptions::StoredExceptions;
use crate::{Engine, ImageRecord, PolicyRecord, StorageError};

/// What an evaluation rests on, as one state of the tables says it.
#[derive(Clone)]
pub(super) struct Basis {
    pub(super) image: Arc<ImageRecord>,
    /// The name it is judged under, for mappings and for the answer.
    pub(super) reference: ImageReference,
    pub(super) key: String,
    pub(super) policy: Arc<PolicyRecord>,
    pub(super) bundle: Arc<Bundle>,
    pub(super) exceptions: StoredExceptions,
}

/// About so many bytes a basis takes, without the bundle, which many share.
pub(super) fn weigh(question: &EvaluationQuestion, basis: &Basis) -> u32 {
    const RECORD: usize = 2048;
    const TAG: usize = 256;
    let ImageRecord { annotations, dockerfile, summary, tags, .. } = basis.image.as_ref();
    let guessed = summary.as_ref().and_then(|summary| summary.guessed_dockerfile.as_ref());
    let texts = dockerfile.as_ref().map_or(0, String::len) + guessed.map_or(0, String::len);
    let bytes = RECORD + texts + question.tag.len() + (tags.len() + annotations.len()) * TAG;
    u32::try_from(bytes).unwrap_or(u32::MAX)
}

impl Engine {
    /// What answers a question, from memory if nothing has changed since.
    pub(super) async fn basis_of(
        &self,
        mark: Option<&Mark>,
        question: &EvaluationQuestion,
    ) -> Result<Basis, EvaluateError> {
        self.caches.bases.or_read(mark, question, self.read_basis(mark, question)).await
    }

    async fn read_basis(
        &self,
        mark: Option<&Mark>,
        question: &EvaluationQuestion,
    ) -> Result<Basis, EvaluateError> {
        let image = self.find_one_image(&question.account, &question.filter).await?;
        require_analyzed(&image)?;
        let (reference, key) = name_asked_about(&image, &question.tag)?;
        let of = (question.account.clone(), question.policy_id.clone());
        let policy = self.caches.policies.or_read(mark, &of, self.find_policy_for(question)).await?;
        let bundle = self
            .compiled(&policy)
            .map_err(|error| StorageError::new("read the stored policy bundle", error))?;
        let exceptions = self.stored_exceptions(&question.account).await?;
        Ok(Basis { image: Arc::new(image), reference, key, policy, bundle, exceptions })
    }

    async fn find_policy_for(
        &self,
        question: &EvaluationQuestion,
    ) -> Result<Arc<PolicyRecord>, EvaluateError> {
        let found = match &question.policy_id {
            Some(id) => self
                .find_policy(&question.account, id)
                .await?
                .ok_or_else(|| EvaluateError::PolicyNotFound(id.clone())),
            None => self
                .find_active_policy(&question.account)
                .await?
                .ok_or_else(|| EvaluateError::NoActivePolicy(question.account.clone())),
        };
        found.map(Arc::new)
    }
}
