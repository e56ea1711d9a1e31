//! The native part of the Python package. The public API is in `python/paytend`.
//!
//! The global interpreter lock is released during cryptographic operations.

use paytend_bindings as paytend;
use paytend_bindings::{Failure, ScheduledKey};
use pyo3::create_exception;
use pyo3::exceptions::PyException;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyString, PyTuple};

create_exception!(paytend_native, Failed, PyException, "Arguments: code, message, respCode, respMsg, response.");

/// The HTTP response to send to the provider, as a tuple: status, headers, body.
type ResponseParts<'py> = (u16, Vec<(String, String)>, Bound<'py, PyBytes>);

fn response_parts<'py>(py: Python<'py>, response: paytend::ProviderResponse) -> ResponseParts<'py> {
    (response.status, response.headers, PyBytes::new(py, &response.body))
}

fn py_error(py: Python<'_>, failure: &Failure, response: Option<paytend::ProviderResponse>) -> PyErr {
    let (resp_code, resp_msg) = match failure.api_error() {
        Some((code, message)) => (Some(code.to_owned()), Some(message.to_owned())),
        None => (None, None),
    };
    Failed::new_err((
        failure.code().name(),
        failure.message().to_owned(),
        resp_code,
        resp_msg,
        response.map(|response| response_parts(py, response).into_pyobject(py).map(Bound::unbind).ok()),
    ))
}

/// Runs `work` without holding the global interpreter lock.
fn without_gil<T: Send>(py: Python<'_>, work: impl FnOnce() -> Result<T, Failure> + Send) -> PyResult<T> {
    py.detach(|| paytend::guarded(work)).map_err(|failure| py_error(py, &failure, None))
}

#[pyclass(frozen, module = "paytend._native")]
struct PrivateKey(paytend::PrivateKey);

#[pymethods]
impl PrivateKey {
    #[staticmethod]
    fn load(py: Python<'_>, data: &[u8]) -> PyResult<Self> {
        without_gil(py, || Ok(Self(paytend::PrivateKey::from_bytes(data)?)))
    }

    #[staticmethod]
    fn load_file(py: Python<'_>, path: &str) -> PyResult<Self> {
        without_gil(py, || Ok(Self(paytend::PrivateKey::from_file(path)?)))
    }

    #[staticmethod]
    fn generate(py: Python<'_>, bits: usize) -> PyResult<Self> {
        without_gil(py, || Ok(Self(paytend::generate(bits)?)))
    }

    fn public(&self) -> PublicKey {
        PublicKey(self.0.public_key().clone())
    }

    fn write<'py>(&self, py: Python<'py>, form: &str) -> PyResult<Bound<'py, PyBytes>> {
        let written = without_gil(py, || paytend::write_private(&self.0, form))?;
        Ok(PyBytes::new(py, &written))
    }

    fn sign(&self, py: Python<'_>, body: &[u8]) -> PyResult<String> {
        without_gil(py, || paytend::sign(&self.0, body))
    }

    fn hazmat_decrypt_blocks<'py>(&self, py: Python<'py>, ciphertext: &[u8]) -> PyResult<Bound<'py, PyBytes>> {
        let plain = without_gil(py, || paytend::hazmat_decrypt_blocks(&self.0, ciphertext))?;
        Ok(PyBytes::new(py, &plain))
    }
}

#[pyclass(frozen, module = "paytend._native")]
struct PublicKey(paytend::PublicKey);

#[pymethods]
impl PublicKey {
    #[staticmethod]
    fn load(py: Python<'_>, data: &[u8]) -> PyResult<Self> {
        without_gil(py, || Ok(Self(paytend::PublicKey::from_bytes(data)?)))
    }

    #[staticmethod]
    fn load_file(py: Python<'_>, path: &str) -> PyResult<Self> {
        without_gil(py, || Ok(Self(paytend::PublicKey::from_file(path)?)))
    }

    fn write<'py>(&self, py: Python<'py>, form: &str) -> PyResult<Bound<'py, PyBytes>> {
        let written = without_gil(py, || paytend::write_public(&self.0, form))?;
        Ok(PyBytes::new(py, &written))
    }
}

/// An opened message. Each part is converted to a Python object on access.
#[pyclass(frozen, module = "paytend._native")]
struct Opened(paytend::Opened);

#[pymethods]
impl Opened {
    fn fields<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let fields = PyDict::new(py);
        self.0.fields().try_for_each(|(name, value)| fields.set_item(name, value))?;
        Ok(fields)
    }

    fn payload(&self, py: Python<'_>) -> PyResult<&str> {
        self.0.payload_text().map_err(|failure| py_error(py, &failure, None))
    }

    fn payload_bytes<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, self.0.payload())
    }

    fn payload_problem(&self) -> Option<String> {
        self.0.payload_problem()
    }

    fn canonical<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyString>> {
        Ok(PyString::new(py, &self.0.canonical_text().map_err(|failure| py_error(py, &failure, None))?))
    }

    fn verified_by(&self) -> &str {
        self.0.verified_by()
    }

    fn decrypted_by(&self) -> Option<&str> {
        self.0.decrypted_by()
    }
}

#[pyclass(frozen, module = "paytend._native")]
struct Keyring(paytend::Keyring);

#[pymethods]
impl Keyring {
    #[new]
    fn new(py: Python<'_>, own: Vec<PyRef<'_, PrivateKey>>, peer: Vec<PyRef<'_, PublicKey>>) -> PyResult<Self> {
        let own: Vec<_> = own.iter().map(|key| &key.0).collect();
        let peer: Vec<_> = peer.iter().map(|key| &key.0).collect();
        without_gil(py, || Ok(Self(paytend::keyring(&own, &peer)?)))
    }

    fn seal(
        &self,
        py: Python<'_>,
        kind: &str,
        fields: Vec<(String, String)>,
        payload: Option<&str>,
        payload_signed: bool,
    ) -> PyResult<String> {
        without_gil(py, || {
            let fields = fields.iter().map(|(name, value)| (name.as_str(), value.as_str()));
            paytend::seal(&self.0, paytend::kind(kind)?, fields, payload, payload_signed)
        })
    }

    fn open(
        &self,
        py: Python<'_>,
        kind: &str,
        partner_id: Option<&str>,
        document: &[u8],
        payload_signed: bool,
        max_bytes: Option<usize>,
    ) -> PyResult<Opened> {
        without_gil(py, || {
            paytend::open(&self.0, paytend::kind(kind)?, partner_id, document, payload_signed, max_bytes).map(Opened)
        })
    }
}

/// A key, and the start and end of its validity period in milliseconds since the Unix epoch.
type Scheduled<'py> = (PyRef<'py, PublicKey>, Option<u64>, Option<u64>);

fn scheduled((key, not_before, retire_at): &Scheduled<'_>) -> ScheduledKey {
    ScheduledKey { key: key.0.clone(), not_before: *not_before, retire_at: *retire_at }
}

#[pyclass(frozen, module = "paytend._native")]
struct Receiver(paytend::Receiver);

impl Receiver {
    fn limited(receiver: paytend::Receiver, max_bytes: Option<usize>, max_age: Option<u64>) -> Result<Self, Failure> {
        receiver.limited(max_bytes, max_age).map(Self)
    }
}

#[pymethods]
impl Receiver {
    #[staticmethod]
    fn paytend(
        py: Python<'_>,
        product: &str,
        partner_id: &str,
        keyring: &Keyring,
        max_bytes: Option<usize>,
    ) -> PyResult<Self> {
        without_gil(py, || {
            let receiver = paytend::Receiver::paytend(product, partner_id, keyring.0.clone())?;
            Self::limited(receiver, max_bytes, None)
        })
    }

    #[staticmethod]
    fn payby(
        py: Python<'_>,
        keys: Vec<Scheduled<'_>>,
        max_bytes: Option<usize>,
        max_age: Option<u64>,
    ) -> PyResult<Self> {
        let keys = keys.iter().map(scheduled).collect();
        without_gil(py, || Self::limited(paytend::Receiver::payby(keys)?, max_bytes, max_age))
    }

    #[staticmethod]
    fn payermax(
        py: Python<'_>,
        merchants: Vec<(String, Scheduled<'_>)>,
        max_bytes: Option<usize>,
        max_age: Option<u64>,
    ) -> PyResult<Self> {
        let merchants = merchants.iter().map(|(merchant, key)| (merchant.clone(), scheduled(key))).collect();
        without_gil(py, || Self::limited(paytend::Receiver::payermax(merchants)?, max_bytes, max_age))
    }

    /// Verifies a notification, and returns its summary as JSON and its content.
    fn receive<'py>(
        &self,
        py: Python<'py>,
        headers: Vec<(String, Vec<u8>)>,
        body: &[u8],
        now: Option<u64>,
    ) -> PyResult<(String, Bound<'py, PyBytes>)> {
        let received = py.detach(|| {
            self.0.receive(headers.iter().map(|(name, value)| (name.as_str(), value.as_slice())), body, now)
        });
        match received {
            Ok(notification) => Ok((notification.summary(), PyBytes::new(py, &notification.content))),
            Err(rejected) => Err(py_error(py, &rejected.failure, Some(rejected.response))),
        }
    }

    fn respond<'py>(&self, py: Python<'py>, reply: &str) -> PyResult<Bound<'py, PyTuple>> {
        let response = without_gil(py, || Ok(self.0.respond(paytend::Reply::named(reply)?)))?;
        response_parts(py, response).into_pyobject(py)
    }
}

#[pyfunction]
fn key_info(py: Python<'_>, data: &[u8]) -> PyResult<String> {
    without_gil(py, || paytend::key_info(data))
}

#[pyfunction]
fn verify(py: Python<'_>, keys: Vec<PyRef<'_, PublicKey>>, body: &[u8], sign: &str) -> PyResult<String> {
    let keys: Vec<_> = keys.iter().map(|key| key.0.clone()).collect();
    without_gil(py, || paytend::verify(&keys, body, sign))
}

#[pyfunction]
fn request_id(py: Python<'_>) -> PyResult<String> {
    without_gil(py, paytend::request_id)
}

#[pymodule]
fn _native(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add("VERSION", paytend::VERSION)?;
    module.add("Failed", module.py().get_type::<Failed>())?;
    module.add_class::<PrivateKey>()?;
    module.add_class::<PublicKey>()?;
    module.add_class::<Keyring>()?;
    module.add_class::<Opened>()?;
    module.add_class::<Receiver>()?;
    module.add_function(wrap_pyfunction!(key_info, module)?)?;
    module.add_function(wrap_pyfunction!(verify, module)?)?;
    module.add_function(wrap_pyfunction!(request_id, module)?)?;
    Ok(())
}
