//! `/auth`: how people log in and out. Nobody who comes here is known yet.

use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use multer::{Constraints, Multipart, SizeLimit};
use serde::{Deserialize, Serialize};

use super::answer::{Answer, ApiError, ok};
use super::browser_page::for_browser;
use super::call::read_body;
use super::{Shared, cookies, same_origin};
use crate::storage_error::chain;
use crate::{LoginAnswer, LoginError, ProviderError};

const LOGIN_PATH: &str = "/auth/oidc/login";
const FIELD_BYTES_MAX: u64 = 64 << 10;
const FORM_BYTES_MAX: u64 = 3 * FIELD_BYTES_MAX;

#[derive(Deserialize)]
pub(super) struct BeginQuery {
    redirect: Option<String>,
}

/// What a program on somebody's machine needs to know to log him in.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ClientWire<'a> {
    issuer: &'a str,
    client_id: &'a str,
    scopes: &'a [String],
    /// Where it waits for the browser; 0: wherever it likes.
    redirect_port: u16,
}

/// `GET /auth/oidc/login`, and `GET /auth/dex/login`, from whose answer older clients take where the provider is.
pub(super) async fn begin(
    State(shared): State<Shared>,
    headers: HeaderMap,
    query: Result<Query<BeginQuery>, QueryRejection>,
) -> Answer {
    for_browser(&headers, None, begin_inside(&shared, query).await)
}

async fn begin_inside(shared: &Shared, query: Result<Query<BeginQuery>, QueryRejection>) -> Answer {
    let Query(BeginQuery { redirect }) = query.map_err(unreadable)?;
    let redirect = redirect.as_deref().unwrap_or("/");
    let begun = shared.plane.begin_login(redirect).await?;
    let cookie = cookies::set(cookies::LOGIN, &begun.cookie, begun.cookie_time_s, is_encrypted(shared));
    to_address(StatusCode::FOUND, &begun.address, [cookie])
}

/// `GET /auth/oidc/callback`: the provider sends the browser back.
pub(super) async fn finish(
    State(shared): State<Shared>,
    headers: HeaderMap,
    query: Result<Query<LoginAnswer>, QueryRejection>,
) -> Answer {
    let again = shared.plane.login.as_ref().map(|login| format!("{}{LOGIN_PATH}", login.settings.public_url));
    for_browser(&headers, again.as_deref(), finish_inside(&shared, &headers, query).await)
}

async fn finish_inside(
    shared: &Shared,
    headers: &HeaderMap,
    query: Result<Query<LoginAnswer>, QueryRejection>,
) -> Answer {
    let Query(answer) = query.map_err(unreadable)?;
    let carried = cookies::find(headers, cookies::LOGIN);
    let browser = headers.get(header::USER_AGENT).and_then(|name| name.to_str().ok()).unwrap_or_default();
    let finished = shared.plane.finish_login(carried, &answer, browser).await?;
    let settings = &shared.plane.login()?.settings;
    let time_s = i64::try_from(settings.session_time.as_secs()).unwrap_or(i64::MAX);
    let is_encrypted = settings.is_encrypted();
    to_address(
        StatusCode::SEE_OTHER,
        &finished.redirect,
        [
            cookies::set(cookies::SESSION, &finished.session, time_s, is_encrypted),
            cookies::unset(cookies::LOGIN, is_encrypted),
        ],
    )
}

/// `GET /auth/oidc/client`.
pub(super) async fn client(State(shared): State<Shared>) -> Answer {
    let settings = &shared.plane.login()?.settings;
    ok(&ClientWire {
        issuer: &settings.issuer,
        client_id: &settings.command_line_client,
        scopes: &settings.scopes,
        redirect_port: settings.command_line_port,
    })
}

/// `POST /auth/dex/callback`: a program was at the provider itself and brings an id token. The answer's header has a token.
pub(super) async fn admit_program(State(shared): State<Shared>, request: Request) -> Answer {
    shared.plane.login()?;
    let id_token = read_id_token(request).await?;
    let token = shared.plane.admit_program(&id_token).await?;
    let home = format!("{}/", shared.plane.settings.base_path);
    let mut response = to_address(StatusCode::SEE_OTHER, &home, [])?;
    let mut value = HeaderValue::try_from(token)
        .map_err(|_| ApiError::Internal("a token does not fit a header".to_owned()))?;
    value.set_sensitive(true);
    response.headers_mut().insert(header::AUTHORIZATION, value);
    Ok(response)
}

/// `POST /auth/logout`: ends the session of the cookie.
pub(super) async fn log_out(State(shared): State<Shared>, headers: HeaderMap) -> Answer {
    if let Some(secret) = cookies::find(&headers, cookies::SESSION) {
        same_origin::check(&headers, &shared)?;
        shared.plane.log_out(secret).await?;
    }
    let mut response = StatusCode::NO_CONTENT.into_response();
    if let Some(cookie) = cookies::unset(cookies::SESSION, is_encrypted(&shared)) {
        response.headers_mut().insert(header::SET_COOKIE, cookie);
    }
    Ok(response)
}

/// The field of the form; the refresh token beside it is not kept, because nothing here has a use for it.
async fn read_id_token(request: Request) -> Result<String, ApiError> {
    let content_type = request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let boundary = content_type.and_then(|content_type| multer::parse_boundary(content_type).ok());
    let boundary = boundary
        .ok_or_else(|| ApiError::bad_request("send multipart/form-data with the field `id_token`"))?;
    let body = read_body(request).await?;
    let limits = SizeLimit::new().whole_stream(FORM_BYTES_MAX).per_field(FIELD_BYTES_MAX);
    let constraints = Constraints::new().size_limit(limits).allowed_fields(vec!["id_token", "refresh_token"]);
    let once = stream::iter([Ok::<_, std::convert::Infallible>(body)]);
    let mut form = Multipart::with_constraints(once, boundary, constraints);
    // The texts of the parser say what is wrong with the form; they do not hold its values.
    let broken = |error: multer::Error| ApiError::bad_request(format!("the form cannot be read: {error}"));
    let mut id_token = None;
    while let Some(field) = form.next_field().await.map_err(broken)? {
        if field.name() == Some("id_token") {
            id_token = Some(field.text().await.map_err(broken)?);
        }
    }
    id_token.ok_or_else(|| ApiError::bad_request("the form has no field `id_token`"))
}

fn is_encrypted(shared: &Shared) -> bool {
    shared.plane.login.as_ref().is_some_and(|login| login.settings.is_encrypted())
}

fn unreadable(_: QueryRejection) -> ApiError {
    ApiError::bad_request("what stands behind the `?` cannot be read")
}

/// Sends a browser on, with cookies. Nobody keeps such an answer, and no page learns where somebody came from.
fn to_address<const COUNT: usize>(
    status: StatusCode,
    address: &str,
    cookies: [Option<HeaderValue>; COUNT],
) -> Answer {
    let unfit = || ApiError::Internal("an address or a cookie does not fit a header".to_owned());
    let mut response: Response = status.into_response();
    let headers = response.headers_mut();
    headers.insert(header::LOCATION, HeaderValue::try_from(address).map_err(|_| unfit())?);
    for cookie in cookies {
        headers.append(header::SET_COOKIE, cookie.ok_or_else(unfit)?);
    }
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(HeaderName::from_static("referrer-policy"), HeaderValue::from_static("no-referrer"));
    Ok(response)
}

impl From<LoginError> for ApiError {
    fn from(error: LoginError) -> Self {
        let text = error.to_string();
        let status = match error {
            LoginError::Off => StatusCode::NOT_FOUND,
            LoginError::Redirect | LoginError::NotBegun | LoginError::BadAnswer(_) => StatusCode::BAD_REQUEST,
            LoginError::Refused(_) | LoginError::IdToken(_) => StatusCode::UNAUTHORIZED,
            LoginError::NotAllowed(_) => StatusCode::FORBIDDEN,
            LoginError::Provider(error) => {
                tracing::error!(error = chain(&error), "the provider of identities cannot be asked");
                match error {
                    ProviderError::Unreachable { .. } => StatusCode::SERVICE_UNAVAILABLE,
                    _ => StatusCode::BAD_GATEWAY,
                }
            }
            LoginError::Seal(error) => return Self::Internal(chain(&error)),
            LoginError::Token(error) => return error.into(),
            LoginError::Storage(error) => return error.into(),
        };
        Self::problem(status, text)
    }
}
